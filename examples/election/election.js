// Several polling stations bring their ballots; all learn who is elected, and nobody sees another's ballots.
//
// Each file is a JSON array of ballots; a ballot is an array of names, the most wanted first. Instant-runoff voting: while
// nobody has more than half of the ballots, whoever has the fewest is struck out (of equals, the last by name), and those
// ballots go to the next name.

const ballots = [];
for (let station = 0; station < inputs.length; station++) {
  const brought = JSON.parse(inputs.read(station));
  if (!Array.isArray(brought) || !brought.every(isBallot)) {
    throw new Error(`file ${station + 1} is no list of lists of names, each at most once`);
  }
  ballots.push(...brought);
}

function isBallot(ballot) {
  return Array.isArray(ballot)
    && ballot.every((name) => typeof name === "string" && name !== "")
    && new Set(ballot).size === ballot.length;
}

// A name's ballots are those that name it first of all who are left.
function count(left) {
  const counts = new Map([...left].map((name) => [name, 0]));
  for (const ballot of ballots) {
    const first = ballot.find((name) => left.has(name));
    if (first !== undefined) counts.set(first, counts.get(first) + 1);
  }
  // Equal numbers are in the order of the names, so that the result doesn't depend on who brought what first.
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

const left = new Set(ballots.flat());
if (left.size === 0) throw new Error("nobody stands for election");
for (let round = 1; ; round++) {
  const counts = count(left);
  print(`round ${round}: ${counts.map(([name, votes]) => `${name} ${votes}`).join(", ")}`);
  const votes = counts.reduce((sum, [, votes]) => sum + votes, 0);
  const [[winner, most]] = counts;
  if (2 * most > votes || left.size === 1) {
    print(`elected: ${winner}`);
    break;
  }
  left.delete(counts.at(-1)[0]);
}
