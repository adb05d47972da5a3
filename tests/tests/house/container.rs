//! The claims of `hangdog doctor` in containers of Docker, with its own seccomp profile and capabilities: as root, as
//! another user, and with what doctor says would help. The programs of this machine are lent to the containers, so no
//! image has to be fetched.
//!
//! A daemon that runs is used; as root one is started from `dockerd`, with all that it keeps in a directory of its own.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hangdog_tests::{Bench, Undo, programs};

use crate::degrees::{Foreign, Visit};

/// What is given to `docker run`, beside what lends programs.
pub(crate) const CONTAINERS: [(&str, &[&str]); 4] = [
    ("container", &[]),
    ("another user in a container", &["--user", "65534:65534"]),
    (
        "container with what doctor advises",
        &[
            "--device",
            "/dev/fuse",
            "--cap-add",
            "SYS_ADMIN",
            "--cap-add",
            "SYS_PTRACE",
            "--cap-add",
            "DAC_READ_SEARCH",
            "--volume",
            "/sys/fs/fuse/connections:/sys/fs/fuse/connections",
        ],
    ),
    ("container with the host's processes", &["--pid=host", "--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE"]),
];

/// Where programs and their libraries lie; links among them are made anew.
const LENT: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Ends the daemon, which ends its own, and removes what it kept. Its process is the child of the test.
const END: &str = r#"pid=$(cat "$1/pid") && kill "$pid" && while kill -0 "$pid"; do sleep 0.1; done
    rm -r --one-file-system "$1""#;

/// A daemon that answers, with an image in which there is nothing.
struct Docker {
    /// Where it listens, if not at the usual place.
    host: Option<OsString>,
    image: String,
    _end: Undo,
}

impl Docker {
    /// The one that all tests of this process share.
    fn get() -> &'static Result<Docker, String> {
        static DOCKER: OnceLock<Result<Docker, String>> = OnceLock::new();
        DOCKER.get_or_init(Self::find)
    }

    fn find() -> Result<Self, String> {
        let image = format!("hangdog-tests:{}", std::process::id());
        let remove = Undo::by(r#"docker image rm -f "$1""#, [&image]);
        let mut docker = Self { host: None, image, _end: remove };
        docker.command(["version"]).stdout(Stdio::null()).output().map_err(|_| "needs docker".to_owned())?;
        if !docker.answers() {
            if let Some(why) = hangdog_tests::root() {
                return Err(format!("needs a daemon of Docker that answers, or dockerd; that {why}"));
            }
            docker.start()?;
        }
        docker.make_image()?;
        Ok(docker)
    }

    /// Why there are no containers with these options here, if so.
    fn refuses(&self, options: &[&str]) -> Option<String> {
        let tried = self.command(self.run(options)).arg("true").output();
        let told = match tried {
            Ok(tried) if tried.status.success() => return None,
            Ok(tried) => String::from_utf8_lossy(&tried.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        Some(format!("needs containers of Docker: {told}"))
    }

    fn command(&self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments.into_iter().map(Into::into)).stdin(Stdio::null());
        command.envs(self.host.iter().map(|host| ("DOCKER_HOST", host)));
        command
    }

    fn answers(&self) -> bool {
        self.command(["info", "--format", "{{.ServerVersion}}"]).output().is_ok_and(|output| output.status.success())
    }

    /// A daemon of our own, which changes nothing of the machine's network.
    fn start(&mut self) -> Result<(), String> {
        let place = tempfile::Builder::new().prefix("hangdog-tests-").tempdir().map_err(|error| error.to_string())?;
        let path = |name: &str| place.path().join(name);
        let mut host = OsString::from("unix://");
        host.push(path("socket"));
        let log = fs::File::create(path("log")).map_err(|error| error.to_string())?;
        let mut command = Command::new("dockerd");
        command.args(["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]);
        for (name, value) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
            command.arg(name).arg(path(value));
        }
        command.arg("--host").arg(&host).stdin(Stdio::null());
        command.stderr(log.try_clone().map_err(|error| error.to_string())?).stdout(log);
        let mut daemon =
            command.spawn().map_err(|_| "needs a daemon of Docker that answers, or dockerd".to_owned())?;
        let place = place.keep();
        *self = Self { host: Some(host), image: self.image.clone(), _end: Undo::by(END, [&place]) };
        let begun = Instant::now();
        while !self.answers() {
            let has_ended = daemon.try_wait().is_ok_and(|ended| ended.is_some());
            if has_ended || begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(place.join("log")).unwrap_or_default();
                return Err(format!("dockerd does not start: {}", log.lines().last().unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        // Whenever it ends, it is waited for; nobody waits for this thread.
        std::thread::spawn(move || daemon.wait());
        Ok(())
    }

    /// Empty directories, and the links to those that are lent.
    fn make_image(&self) -> Result<(), String> {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let make = |name: &str| fs::create_dir(place.path().join(name));
        let links = LENT.iter().filter_map(|name| Some((name, fs::read_link(name).ok()?)));
        let made = ["tmp", "dev", "proc", "sys", "etc"].into_iter().try_for_each(make).and_then(|()| {
            links.into_iter().try_for_each(|(name, to)| {
                std::os::unix::fs::symlink(to, place.path().join(name.trim_start_matches('/')))
            })
        });
        made.map_err(|error| error.to_string())?;
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(place.path()).args(["-c", "."]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut tar = tar.spawn().map_err(|error| format!("needs tar ({error})"))?;
        let archive = tar.stdout.take().expect("a pipe");
        let output = self.command(["import", "-", &self.image]).stdin(archive).output();
        let is_whole = tar.wait().is_ok_and(|status| status.success());
        let output = output.map_err(|error| error.to_string())?;
        let told = || format!("docker import: {}", String::from_utf8_lossy(&output.stderr).trim());
        (is_whole && output.status.success()).then_some(()).ok_or_else(told)
    }

    /// `run …` up to the image.
    fn run(&self, options: &[&str]) -> Vec<OsString> {
        let mut line: Vec<OsString> = ["run", "--rm", "--network=none"].map(OsString::from).into();
        for name in LENT.iter().filter(|name| Path::new(name).is_dir() && fs::read_link(name).is_err()) {
            line.extend(["--volume".into(), format!("{name}:{name}:ro").into()]);
        }
        line.extend(options.iter().map(OsString::from));
        line.push(self.image.clone().into());
        line
    }
}

/// Why there is no container of that number here, if so.
pub(crate) fn missing<const NUMBER: usize>() -> Option<String> {
    crate::no_mount().or_else(|| match Docker::get() {
        Ok(docker) => docker.refuses(CONTAINERS[NUMBER].1),
        Err(why) => Some(why.clone()),
    })
}

pub(crate) fn claims_are_true<const NUMBER: usize>() {
    let Ok(docker) = Docker::get() else { panic!("looked for before") };
    let (name, options) = CONTAINERS[NUMBER];
    visit(docker, name, options, &Foreign::new());
}

fn visit(docker: &Docker, name: &'static str, options: &[&str], foreign: &Foreign) {
    let bench = Bench::new(programs!());
    let own = bench.path("").to_string_lossy().into_owned();
    let programs = Path::new(&bench.scenario("x", &[])[0]).parent().expect("a directory").display().to_string();
    let mut line = vec![format!("{own}:{own}"), format!("{programs}:{programs}:ro")];
    line = line.into_iter().flat_map(|volume| ["--volume".to_owned(), volume]).collect();
    line.extend(["H", "S", "D", "C", "P"].into_iter().flat_map(|name| ["--env".to_owned(), name.to_owned()]));
    let options: Vec<&str> = line.iter().map(String::as_str).chain(options.iter().copied()).collect();
    let mut place = vec![OsString::from("env")];
    place.extend(docker.host.iter().map(|host| {
        let mut variable = OsString::from("DOCKER_HOST=");
        variable.push(host);
        variable
    }));
    place.push("docker".into());
    place.extend(docker.run(&options));
    Visit::new(name, bench, place, foreign).check(foreign);
}
