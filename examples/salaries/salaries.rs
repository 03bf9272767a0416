//! The mean of the salaries that several employers pay: one whole number a line in each file.
//!
//! The result is the mean over all, and the number of salaries. With fewer than three files,
//! everybody could compute the other's mean, so that is refused.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

const FEWEST: usize = 3;

fn main() -> ExitCode {
    match mean() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn mean() -> Result<String, String> {
    let files = fs::read_dir("/inputs").map_err(|error| error.to_string())?.count();
    if files < FEWEST {
        return Err(format!("this needs at least {FEWEST} files, or a mean would tell of one of them"));
    }
    let (mut sum, mut count) = (0_u128, 0_u128);
    for file in 0..files {
        let (of_file, lines) = total(file)?;
        sum += of_file;
        count += lines;
    }
    if count == 0 {
        return Err("there are no salaries".to_owned());
    }
    Ok(format!("{count} salaries with a mean of {}", sum / count))
}

/// The sum and the number of the salaries in one file. Errors name a place and never quote it.
fn total(file: usize) -> Result<(u128, u128), String> {
    let open = File::open(format!("/inputs/{file}")).map_err(|error| error.to_string())?;
    let (mut sum, mut count) = (0, 0);
    for (number, line) in BufReader::new(open).lines().enumerate() {
        let broken = || format!("line {} of file {} is not a whole number", number + 1, file + 1);
        let line = line.map_err(|_| broken())?;
        let salary: u64 = line.trim().parse().map_err(|_| broken())?;
        sum += u128::from(salary);
        count += 1;
    }
    Ok((sum, count))
}
