// The number, mean and standard deviation of the numbers in the payload, which are separated by spaces.
// AssemblyScript: TypeScript's syntax, compiled ahead of time to a small module.

function payload(): string {
  const all = new Array<u8>();
  const piece = new ArrayBuffer(4096);
  for (let got = process.stdin.read(piece); got > 0; got = process.stdin.read(piece)) {
    const bytes = Uint8Array.wrap(piece, 0, got);
    for (let at = 0; at < got; at++) all.push(bytes[at]);
  }
  return String.UTF8.decodeUnsafe(all.dataStart, all.length);
}

const numbers = payload().trim().split(" ");
let sum = 0.0;
let squares = 0.0;
for (let at = 0; at < numbers.length; at++) {
  const number = parseFloat(numbers[at]);
  if (isNaN(number)) {
    process.stderr.write("number " + (at + 1).toString() + " is not one\n");
    process.exit(1);
  }
  sum += number;
  squares += number * number;
}
const count = numbers.length as f64;
const mean = sum / count;
const deviation = Math.sqrt(Math.max(0.0, squares / count - mean * mean));
process.stdout.write(numbers.length.toString() + " numbers, mean " + mean.toString() + ", deviation " + deviation.toString() + "\n");
