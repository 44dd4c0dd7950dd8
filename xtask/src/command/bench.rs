//! `cargo xtask bench`: what sessions cost, measured beside peers, and the page that tells it.

mod bound;
mod figures;
mod progress;
mod section;
mod servers;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use bound::Bound;
use figures::{is_complete, without};
use progress::Progress;
pub(crate) use section::Section;
use servers::Servers;

use super::step;
use crate::install::{self, Program};
use crate::{Error, Result, workspace};

/// Longer than any section takes on a slow machine.
const DEADLINE: Duration = Duration::from_secs(6 * 60 * 60);
/// Where the benchmark is built, and where its figures are kept.
const TARGET: &str = "target/bench";

/// What is measured.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Task {
    quick: bool,
    sections: Vec<Section>,
    /// Whether figures of other sections, measured before, stay.
    part: bool,
}

impl Task {
    pub(crate) fn parse(options: &[&str]) -> Result<Self> {
        let mut rest = options.iter();
        let (mut quick, mut only) = (false, None);
        while let Some(option) = rest.next() {
            match (*option, option.strip_prefix("--only=")) {
                ("--quick", _) => quick = true,
                ("--only", _) => only = rest.next().copied(),
                (_, Some(list)) => only = Some(list),
                _ => return Err(Error::new(format!("bench takes no option {option}"))),
            }
            if *option == "--only" && only.is_none() {
                return Err(Error::new("--only needs names of sections"));
            }
        }
        let sections = match only {
            Some(list) => list.split(',').map(Section::parse).collect::<Result<_>>()?,
            None => Section::ALL.into_iter().filter(|section| section.belongs(quick)).collect(),
        };
        Ok(Self { quick, sections, part: only.is_some() })
    }

    /// The same as it would be typed.
    fn typed(&self) -> String {
        let quick = if self.quick { " --quick" } else { "" };
        let names: Vec<&str> = self.sections.iter().map(|section| section.name()).collect();
        let only = if self.part { format!(" --only {}", names.join(",")) } else { String::new() };
        format!("cargo xtask bench{quick}{only}")
    }
}

pub(crate) fn run(task: &Task) -> Result<ExitCode> {
    let root = workspace::root();
    let mut programs: Vec<Program> = Vec::new();
    for section in &task.sections {
        programs.extend(section.programs(task.quick));
    }
    install::ensure(&programs)?;
    build(&root)?;
    let target = root.join(TARGET);
    let path = target.join(if task.quick { "figures-quick.jsonl" } else { "figures.jsonl" });
    let mut file = begin(&root, task, &path, &programs)?;
    let mut failures = Vec::new();
    let mut progress = Progress::new(task.quick, &task.sections);
    for section in &task.sections {
        progress.begin(*section);
        if let Err(error) = measure(&root, *section, task.quick, &mut file, &mut progress) {
            step::complain(&error);
            failures.push(format!("{}: {error}", section.name()));
        }
        progress.end();
    }
    let lines = fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
    let page = if task.quick {
        target.join("performance-quick.md")
    } else if is_complete(&lines) {
        root.join("docs/performance.md")
    } else {
        step::say("not every section was measured: docs/performance.md stays as it is");
        target.join("performance.md")
    };
    let mut report = Command::new(program(&root, "cloakroom-loads"));
    report.arg("report").args([&path, &page]);
    step::run(report)?;
    step::say(&format!("figures: {}\npage: {}", path.display(), page.display()));
    if failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Error::new(format!("not everything was measured:\n  {}", failures.join("\n  "))))
}

fn build(root: &Path) -> Result<()> {
    let mut cargo = step::cargo();
    cargo.current_dir(root).args(["build", "--release", "--bins", "--manifest-path", "bench/Cargo.toml"]);
    cargo.args(["--target-dir", TARGET]);
    step::run(cargo)
}

fn program(root: &Path, name: &str) -> std::path::PathBuf {
    root.join(TARGET).join("release").join(name)
}

/// The file with what stays of it, and a header for what comes.
fn begin(root: &Path, task: &Task, path: &Path, programs: &[Program]) -> Result<File> {
    let before = if task.part { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
    let sections: Vec<&str> = task.sections.iter().map(|section| section.in_figures()).collect();
    let mut machine = Command::new(program(root, "cloakroom-loads"));
    machine.args(["machine", "--command", &task.typed()]);
    let asked = section::asked_for_versions(programs)?;
    machine.args(["--programs", &asked.join(",")]);
    let header = step::output(machine)?;
    let cannot = || format!("cannot write {}", path.display());
    let mut file = File::create(path).map_err(Error::io(cannot()))?;
    let kept = without(&before, &sections);
    file.write_all(format!("{kept}{}\n", header.trim()).as_bytes()).map_err(Error::io(cannot()))?;
    Ok(file)
}

/// Runs the programs of a section, and keeps each figure as soon as it is there.
fn measure(
    root: &Path,
    section: Section,
    quick: bool,
    file: &mut File,
    progress: &mut Progress,
) -> Result<()> {
    let _bound = if section.is_bound() { Some(Bound::to_one()?) } else { None };
    let servers = Servers::start(section.servers(quick))?;
    for [name, subcommand] in section.subcommands() {
        let mut command = Command::new(program(root, name));
        command.current_dir(root).arg(subcommand);
        if quick && section.has_quick() {
            command.arg("--quick");
        }
        if let Some(urls) = servers.urls() {
            command.args(["--urls", &urls]);
        }
        let mut written = Ok(());
        let status = step::follow(command, DEADLINE, |line| {
            if line.starts_with('{') {
                if written.is_ok() {
                    written = writeln!(file, "{line}").map_err(Error::io("cannot write the figures"));
                }
                progress.figure();
            } else {
                step::say(line);
            }
        })?;
        written?;
        if !status.success() {
            return Err(Error::new(format!("{name} {subcommand} ended with {status}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Section, Task};

    #[test]
    fn sections_are_chosen_by_name() {
        let task = Task::parse(&[]).unwrap();
        assert_eq!((task.sections.len(), task.typed().as_str()), (Section::ALL.len(), "cargo xtask bench"));
        let quick = Task::parse(&["--quick"]).unwrap();
        assert!(quick.quick && !quick.sections.contains(&Section::Builds), "cold builds are not quick");
        for options in
            [&["--only", "costs,memory-store", "--quick"][..], &["--quick", "--only=costs,memory-store"]]
        {
            let task = Task::parse(options).unwrap();
            assert_eq!(task.sections, [Section::Costs, Section::MemoryStore]);
            assert_eq!(task.typed(), "cargo xtask bench --quick --only costs,memory-store");
        }
        for wrong in [&["--only"][..], &["--only", "cots"], &["--fast"], &["costs"]] {
            assert!(Task::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
