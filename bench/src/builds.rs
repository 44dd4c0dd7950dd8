//! What it takes to build an application with sessions, cold, and how large it becomes.
//!
//! Each application is a package of its own with a lock file and a target directory of its own. Cloakroom's and its
//! peers' do the same thing: they count visits.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::figure::Figure;
use crate::options::Options;

const SECTION: &str = "builds";
const AXUM: &str = "axum = { version = \"0.8.9\", default-features = false, features = [\"http1\", \"tokio\"] }\n\
    tokio = { version = \"1.54\", features = [\"macros\", \"net\", \"rt-multi-thread\"] }\n";
const ACTIX: &str =
    "actix-web = { version = \"4.18\", default-features = false, features = [\"cookies\", \"macros\"] }\n";
const PROFILE: &str = "\n[profile.release]\nstrip = true\n";

/// An application that is built.
struct Application {
    contender: &'static str,
    backend: &'static str,
    /// Of the framework alone.
    floor: &'static str,
    text: &'static str,
    dependencies: &'static str,
}

const APPLICATIONS: [Application; 9] = [
    Application {
        contender: "bare-axum",
        backend: "none",
        floor: "bare-axum",
        text: include_str!("../builds/bare_axum.rs"),
        dependencies: "",
    },
    Application {
        contender: "bare-actix",
        backend: "none",
        floor: "bare-actix",
        text: include_str!("../builds/bare_actix.rs"),
        dependencies: "",
    },
    ours_on_axum("memory", "features = [\"axum\", \"memory\"]"),
    ours_on_axum("redis", "features = [\"axum\", \"redis\"]"),
    Application {
        contender: "cloakroom-actix",
        backend: "redis",
        floor: "bare-actix",
        text: include_str!("../builds/cloakroom_actix.rs"),
        dependencies: "features = [\"actix\", \"redis\"]",
    },
    tower("tower-sessions-015", "memory", "tower-sessions = \"0.15\"\n"),
    tower(
        "tower-sessions-014",
        "redis",
        "tower-sessions = \"0.14\"\ntower-sessions-redis-store = \"0.16\"\n",
    ),
    Application {
        contender: "actix-session",
        backend: "redis",
        floor: "bare-actix",
        text: include_str!("../builds/actix_session.rs"),
        dependencies: "actix-session = { version = \"0.11\", features = [\"redis-session\"] }\n",
    },
    Application {
        contender: "axum-session",
        backend: "redis",
        floor: "bare-axum",
        text: include_str!("../builds/axum_session.rs"),
        dependencies: "axum_session = \"0.22\"\naxum_session_redispool = \"0.13\"\nredis_pool = \"0.10\"\n\
            redis = { version = \"1.8\", default-features = false, features = [\"tokio-comp\"] }\n",
    },
];

const fn ours_on_axum(backend: &'static str, dependencies: &'static str) -> Application {
    let text = include_str!("../builds/cloakroom_axum.rs");
    Application { contender: "cloakroom-axum", backend, floor: "bare-axum", text, dependencies }
}

const fn tower(contender: &'static str, backend: &'static str, dependencies: &'static str) -> Application {
    let text = include_str!("../builds/tower_sessions.rs");
    Application { contender, backend, floor: "bare-axum", text, dependencies }
}

impl Application {
    fn name(&self) -> String {
        match self.backend {
            "none" => self.contender.to_owned(),
            backend => format!("{}-{backend}", self.contender),
        }
    }

    fn manifest(&self, root: &Path) -> String {
        let framework = if self.floor == "bare-axum" { AXUM } else { ACTIX };
        let path = root.join("crates/cloakroom");
        let dependencies = if self.contender.starts_with("cloakroom") {
            format!("cloakroom = {{ path = {path:?}, default-features = false, {} }}\n", self.dependencies)
        } else {
            self.dependencies.to_owned()
        };
        let (name, backend) = (self.name(), self.backend);
        format!(
            "[workspace]\n\n[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
             [features]\ndefault = [\"on-{backend}\"]\non-{backend} = []\n\n[dependencies]\n{framework}{dependencies}{PROFILE}"
        )
    }
}

/// What a build took.
struct Built {
    wall: f64,
    cpu: f64,
    crates: usize,
    bytes: u64,
}

pub fn main(words: &[String]) -> Result<()> {
    let options = Options::parse(words, &[], &["--only", "--directory", "--rounds"])?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    let directory =
        options.get("--directory").map_or_else(|| root.join("target/bench/builds"), PathBuf::from);
    let rounds = options.number("--rounds", 1)?;
    let only: Vec<String> = options.list("--only", "", |name| Ok(name.to_owned()))?;
    let wanted = |application: &&Application| only == [""] || only.contains(&application.name());
    let applications: Vec<&Application> = APPLICATIONS.iter().filter(wanted).collect();
    ensure!(!applications.is_empty(), "nothing of that name is built");
    for application in &applications {
        prepare(application, root, &directory.join(application.name()))?;
    }
    let mut built: Vec<Vec<Built>> = applications.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (application, built) in applications.iter().zip(&mut built) {
            built.push(build(application, &directory.join(application.name()))?);
        }
    }
    let floors: BTreeMap<&str, &[Built]> = applications
        .iter()
        .zip(&built)
        .map(|(application, built)| (application.contender, &**built))
        .collect();
    for (application, built) in applications.iter().zip(&built) {
        let who = [application.contender, application.backend, "cold, release"];
        let print = |figure: &str, unit: &str, pick: &dyn Fn(&Built) -> f64| {
            let rounds: Vec<f64> = built.iter().map(pick).collect();
            Figure::of_rounds(SECTION, who, figure, unit, &rounds).print()
        };
        print("wall time", "s", &|built| built.wall)?;
        print("CPU time", "s", &|built| built.cpu)?;
        print("crates", "count", &|built| built.crates as f64)?;
        print("stripped program", "KiB", &|built| built.bytes as f64 / 1024.0)?;
        let floor = floors.get(application.floor).filter(|_| application.backend != "none");
        if let Some(floor) = floor.and_then(|floor| floor.first()) {
            print("stripped program beyond the bare one", "KiB", &|built| {
                (built.bytes as f64 - floor.bytes as f64) / 1024.0
            })?;
            print("CPU time beyond the bare one", "s", &|built| built.cpu - floor.cpu)?;
            print("crates beyond the bare one", "count", &|built| built.crates as f64 - floor.crates as f64)?;
        }
    }
    Ok(())
}

/// Writes the package, and fetches what it needs.
fn prepare(application: &Application, root: &Path, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory.join("src"))?;
    fs::write(directory.join("Cargo.toml"), application.manifest(root))?;
    fs::write(directory.join("src/main.rs"), application.text)?;
    // The same versions for all: those of the benchmark.
    fs::copy(root.join("bench/Cargo.lock"), directory.join("Cargo.lock"))?;
    let status = Command::new("cargo").args(["fetch", "--quiet"]).current_dir(directory).status()?;
    ensure!(status.success(), "{}: what it needs was not fetched", application.name());
    Ok(())
}

fn build(application: &Application, directory: &Path) -> Result<Built> {
    let target = directory.join("target");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let (cpu, start) = (children()?, Instant::now());
    let output = Command::new("cargo")
        .args(["build", "--release", "--offline"])
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", &target)
        .output()?;
    let (wall, cpu) = (start.elapsed().as_secs_f64(), children()? - cpu);
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", application.name());
    let crates = said.lines().filter(|line| line.trim_start().starts_with("Compiling ")).count();
    let bytes = fs::metadata(target.join("release").join(application.name()))?.len();
    // Gigabytes that nobody looks at again.
    fs::remove_dir_all(&target)?;
    Ok(Built { wall, cpu, crates, bytes })
}

/// The processor time of all children that have ended, and of theirs, in seconds.
fn children() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
    let ticks = |at| -> Result<f64> { Ok(fields.split_whitespace().nth(at).context("a field")?.parse()?) };
    Ok((ticks(13)? + ticks(14)?) / rustix::param::clock_ticks_per_second() as f64)
}
