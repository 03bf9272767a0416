//! A file of chunks sealed and opened, beside the AEAD alone and SHA-256 alone; and beside other tools, file to file.

use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crypto::FileKey;
use crypto::file::stream::{
    ChunkLen, HEADER_LEN, Header, Layout, Opener, Position, Salt, Sealer, open_parallel, open_parallel_unhashed,
    seal_parallel, seal_parallel_unhashed,
};
use crypto::hash::Sha256;

use crate::figure::{Figure, Report, Target};
use crate::seal_tools;
use crate::stats::percentile;

/// One file: 64 MiB, more than the caches hold.
const SIZE: usize = 1 << 26;
/// So many of them: 1 GiB.
const FILES: usize = 16;
const ROUNDS: usize = 5;
const CHUNK: usize = 1 << 16;
const SLOT: usize = CHUNK + 16;

/// Each case in turn on each file, in an order of pairs that differs from file to file, so that what else the machine
/// does, and what the case before left in the caches, slows all of them alike. A figure is the fastest of a case's 80
/// runs: what the code can do, where others take memory bandwidth and time away.
pub(crate) fn run(report: &mut Report) -> anyhow::Result<()> {
    let mut files: Vec<Memory> = (0..FILES).map(|_| Memory::new()).collect();
    let cases = cases();
    let mut speeds = vec![Vec::new(); cases.len()];
    // The first round only warms up: it touches the memory.
    for round in 0..=ROUNDS {
        for (number, memory) in files.iter_mut().enumerate() {
            for at in order(cases.len(), number + round) {
                let start = Instant::now();
                cases[at].1(memory)?;
                speeds[at].extend((round > 0).then(|| rate(SIZE, start.elapsed())));
            }
        }
    }
    let named = cases.iter().map(|(name, _)| *name).zip(speeds).collect();
    Speeds(named).report(report);
    drop(files);
    seal_tools::run(report, FILES * SIZE)
}

/// An order of pairs, one for each number: steps of any length meet all of a prime number of pairs.
fn order(cases: usize, number: usize) -> impl Iterator<Item = usize> {
    let pairs = cases / 2;
    let step = 1 + number % (pairs - 1);
    (0..cases).map(move |turn| (turn / 2 * step + number) % pairs * 2 + turn % 2)
}

/// GB/s.
pub(crate) fn rate(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / 1e9 / took.as_secs_f64()
}

pub(crate) fn threads(many: usize) -> NonZeroUsize {
    NonZeroUsize::new(many).unwrap_or(NonZeroUsize::MIN)
}

/// What is sealed and where it goes, all of it touched before.
struct Memory {
    text: Vec<u8>,
    /// A whole file. Whatever the cases do to it, chunks lie where a file has them.
    stored: Vec<u8>,
    key: FileKey,
    header: Header,
    digest: [u8; 32],
}

impl Memory {
    fn new() -> Self {
        let text = crypto::random::bytes::<4096>().repeat(SIZE / 4096);
        let layout = Layout::new(ChunkLen::DEFAULT, SIZE as u64).expect("64 MiB is short");
        let header = Header::new(ChunkLen::DEFAULT, Salt::generate());
        let digest = Sha256::digest(&text);
        let stored = vec![1; layout.sealed_len() as usize];
        Memory { text, stored, key: FileKey::generate(), header, digest }
    }

    /// The chunks' places with their numbers, in this many parts.
    fn places(&mut self, parts: usize) -> impl Iterator<Item = impl Iterator<Item = (Position, &mut [u8])>> {
        let chunks = SIZE / CHUNK;
        let each = chunks / parts;
        let body = self.stored[HEADER_LEN..].chunks_mut(each * SLOT);
        body.enumerate().map(move |(part, body)| {
            body.chunks_mut(SLOT).enumerate().map(move |(number, place)| {
                let index = part * each + number;
                (Position { index: index as u32, last: index + 1 == chunks }, place)
            })
        })
    }

    /// Something done to every chunk in place, by one thread or several.
    fn each(&mut self, parts: usize, work: impl Fn(Position, &mut [u8]) + Sync) {
        std::thread::scope(|scope| {
            let work = &work;
            for part in self.places(parts) {
                let all = || part.for_each(|(at, place)| work(at, place));
                if parts == 1 { all() } else { drop(scope.spawn(all)) }
            }
        });
    }

    fn seal_in_place(&mut self, parts: usize) {
        let sealer = Sealer::new(&self.key, self.header);
        self.each(parts, |at, place| {
            let (text, tag) = place.split_at_mut(CHUNK);
            tag.copy_from_slice(&sealer.seal(at, text).expect("a full chunk"));
        });
    }

    fn open_in_place(&mut self, parts: usize) {
        let opener = Opener::new(&self.key, self.header);
        self.each(parts, |at, place| {
            opener.open(at, place).expect("just sealed");
        });
    }

    /// From memory to memory, as from reader to writer.
    fn seal_stream(&mut self, many: usize, hashed: bool) -> anyhow::Result<()> {
        let Memory { text, stored, key, header, .. } = self;
        let (from, to, size) = (&text[..], &mut stored[..], SIZE as u64);
        if hashed {
            seal_parallel(key, *header, size, threads(many), from, to)?;
        } else {
            seal_parallel_unhashed(key, *header, size, threads(many), from, to)?;
        }
        Ok(())
    }

    fn open_stream(&mut self, many: usize, hashed: bool) -> anyhow::Result<()> {
        let Memory { text, stored, key, digest, .. } = self;
        let (from, to, size) = (&stored[..], &mut text[..], SIZE as u64);
        if hashed {
            open_parallel(key, size, *digest, threads(many), from, to)?;
        } else {
            open_parallel_unhashed(key, size, threads(many), from, to)?;
        }
        Ok(())
    }
}

type Case = (&'static str, Box<dyn Fn(&mut Memory) -> anyhow::Result<()>>);

fn stream(name: &'static str, work: impl Fn(&mut Memory) -> anyhow::Result<()> + 'static) -> Case {
    (name, Box::new(work))
}

fn plain(name: &'static str, work: impl Fn(&mut Memory) + 'static) -> Case {
    stream(name, move |memory| {
        work(memory);
        Ok(())
    })
}

/// What is opened was sealed by the case before.
fn cases() -> Vec<Case> {
    vec![
        plain("seal, aws-lc-rs", |memory| AWS_LC_RS.seal(memory, 1)),
        plain("open, aws-lc-rs", |memory| AWS_LC_RS.open(memory, 1)),
        plain("seal, ring", |memory| RING.seal(memory, 1)),
        plain("open, ring", |memory| RING.open(memory, 1)),
        plain("seal", |memory| memory.seal_in_place(1)),
        plain("open", |memory| memory.open_in_place(1)),
        plain("seal, 2, aws-lc-rs", |memory| AWS_LC_RS.seal(memory, 2)),
        plain("open, 2, aws-lc-rs", |memory| AWS_LC_RS.open(memory, 2)),
        plain("seal, 2, ring", |memory| RING.seal(memory, 2)),
        plain("open, 2, ring", |memory| RING.open(memory, 2)),
        plain("seal, 2", |memory| memory.seal_in_place(2)),
        plain("open, 2", |memory| memory.open_in_place(2)),
        plain("sha256", |memory| assert_ne!(Sha256::digest(&memory.text), [0; 32])),
        plain("copy", |memory| memory.stored[..SIZE].copy_from_slice(&memory.text)),
        stream("seal stream", |memory| memory.seal_stream(1, false)),
        stream("open stream", |memory| memory.open_stream(1, false)),
        stream("seal stream, 2", |memory| memory.seal_stream(2, false)),
        stream("open stream, 2", |memory| memory.open_stream(2, false)),
        stream("seal stream hashed", |memory| memory.seal_stream(1, true)),
        stream("open stream hashed", |memory| memory.open_stream(1, true)),
        stream("seal stream hashed, 2", |memory| memory.seal_stream(2, true)),
        stream("open stream hashed, 2", |memory| memory.open_stream(2, true)),
    ]
}

/// A library's AEAD over the same places, with nothing around it: sealing, and opening what was sealed.
struct Alone {
    seal: fn(&mut [u8]),
    open: fn(&mut [u8]),
}

impl Alone {
    fn seal(&self, memory: &mut Memory, parts: usize) {
        memory.each(parts, |_, place| (self.seal)(place));
    }

    fn open(&self, memory: &mut Memory, parts: usize) {
        memory.each(parts, |_, place| (self.open)(place));
    }
}

/// The two libraries have the same interface.
macro_rules! alone {
    ($library:ident) => {{
        use $library::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        static KEY: LazyLock<LessSafeKey> =
            LazyLock::new(|| LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("32 bytes")));
        let seal = |place: &mut [u8]| {
            let (text, tag) = place.split_at_mut(CHUNK);
            let nonce = Nonce::assume_unique_for_key([0; 12]);
            let made = KEY.seal_in_place_separate_tag(nonce, Aad::empty(), text).expect("short");
            tag.copy_from_slice(made.as_ref());
        };
        let open = |place: &mut [u8]| {
            KEY.open_in_place(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), place).expect("just sealed");
        };
        Alone { seal, open }
    }};
}

const AWS_LC_RS: Alone = alone!(aws_lc_rs);
const RING: Alone = alone!(ring);

/// GB/s of each case in each of its runs.
struct Speeds(Vec<(&'static str, Vec<f64>)>);

impl Speeds {
    fn of(&self, name: &str) -> f64 {
        let speeds = self.0.iter().find(|(case, _)| *case == name).map_or(&[][..], |(_, speeds)| speeds);
        percentile(speeds, 100.0)
    }

    /// The library that is faster here.
    fn faster(&self) -> &'static str {
        if self.of("seal, ring") > self.of("seal, aws-lc-rs") { "ring" } else { "aws-lc-rs" }
    }

    fn ratio(&self, what: impl Into<String>, case: &str, of: &str) -> Figure {
        let (speed, of) = (self.of(case), self.of(of));
        Figure::once("seal", what, "", speed / of).beside(format!("{speed:.1} GB/s of {of:.1}"))
    }

    fn speed(&self, what: impl Into<String>, case: &str) -> Figure {
        Figure::once("seal", what, "GB/s", self.of(case))
    }

    fn report(&self, report: &mut Report) {
        let library = self.faster();
        for other in ["aws-lc-rs", "ring"] {
            for verb in ["seal", "open"] {
                report.add(
                    self.speed(format!("{verb} 64 KiB, AES-256-GCM of {other} alone"), &format!("{verb}, {other}")),
                );
            }
        }
        for verb in ["seal", "open"] {
            self.report_in_place(report, verb, library);
        }
        for verb in ["seal", "open"] {
            self.report_stream(report, verb, library);
        }
    }

    fn report_in_place(&self, report: &mut Report, verb: &str, library: &str) {
        let [one, two] = [format!("{verb}, {library}"), format!("{verb}, 2, {library}")];
        let two_cores = format!("{verb}, 2");
        report.add(
            self.ratio(format!("{verb} chunks in place, 1 core, of {library} alone"), verb, &one)
                .wanted(Target::AtLeast(0.9)),
        );
        let figure =
            self.ratio(format!("{verb} chunks in place, 2 cores, of 1"), &two_cores, verb).wanted(Target::AtLeast(1.8));
        let [fast, alone, of] = [&two_cores, &two, &one].map(|case| self.of(case));
        report.add(figure.beside(format!("{fast:.1} GB/s; {library} alone on 2: {alone:.1} of {of:.1}")));
    }

    fn report_stream(&self, report: &mut Report, verb: &str, library: &str) {
        let [plain, hashed] = [format!("{verb} stream"), format!("{verb} stream hashed")];
        let [plain_2, hashed_2] = [&plain, &hashed].map(|name| format!("{name}, 2"));
        let [alone, copy, sha256] = [&format!("{verb}, {library}"), "copy", "sha256"].map(|case| self.of(case));
        let in_turn = 1.0 / (1.0 / sha256 + 1.0 / self.of(&plain));
        report.add(
            self.speed(format!("{verb} memory to memory, 1 thread"), &plain)
                .beside(format!("{library} alone {alone:.1}, copying alone {copy:.1}")),
        );
        report.add(self.ratio(format!("{verb} memory to memory, 2 threads, of 1"), &plain_2, &plain));
        report.add(
            self.speed(format!("{verb} with SHA-256, 1 thread"), &hashed)
                .beside(format!("SHA-256 alone {sha256:.2}; one after the other {in_turn:.2}")),
        );
        report.add(self.ratio(format!("{verb} with SHA-256, 2 threads, of SHA-256 alone"), &hashed_2, "sha256"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_has_every_case_once_and_keeps_pairs() {
        let cases = cases().len();
        for number in 0..100 {
            let mut order: Vec<usize> = order(cases, number).collect();
            assert!(order.chunks(2).all(|pair| pair[0] % 2 == 0 && pair[1] == pair[0] + 1));
            order.sort_unstable();
            assert!(order.into_iter().eq(0..cases), "{number}");
        }
    }
}
