//! Secrets out of what is written: environment, arguments, text. Pure functions.
//!
//! A capture travels: it is attached to an issue, kept by CI. So a value that might be a secret goes, and
//! where it went is said. Removing too much costs a word in a report; removing too little costs a
//! password. What has no mark of a secret at all (a short password as a plain argument) cannot be told.
//!
//! | removed | by |
//! | --- | --- |
//! | environment variables | an allow-list of names |
//! | `--password=…`, `--token …`, `DB_PASSWORD=…`, `"secret": "…"` | the name |
//! | `Authorization: …`, `Cookie: …`, `Bearer …` | the header |
//! | `https://user:…@host` | the place in the URL |
//! | `ghp_…`, `AKIA…`, JSON Web Tokens, private keys | the shape |
//! | long random texts | many kinds of letters in no order |

mod secret;
#[cfg(test)]
mod tests;
mod text;

/// What stands where a secret was.
pub const REMOVED: &str = "[removed]";

/// A value without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Redacted<T> {
    /// What is left.
    pub value: T,
    /// What was removed, in words and without the secrets: `--password`, `a GitHub token`,
    /// `the variable AWS_REGION`.
    pub removed: Vec<String>,
}

/// Variables that say how a program runs and hold no secrets.
const KEPT_VARIABLES: &[&str] = &[
    // The surroundings of any program.
    "CI",
    "COLORTERM",
    "HOME",
    "HOSTNAME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "NO_COLOR",
    "PATH",
    "PWD",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    // What changes how tests run.
    "CARGO_BUILD_JOBS",
    "CARGO_TARGET_DIR",
    "GOMAXPROCS",
    "JOBS",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "MAKEFLAGS",
    "MALLOC_ARENA_MAX",
    "NODE_ENV",
    "OMP_NUM_THREADS",
    "PYTHONUNBUFFERED",
    "RAYON_NUM_THREADS",
    "RUSTFLAGS",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "RUST_MIN_STACK",
    "RUST_TEST_SHUFFLE",
    "RUST_TEST_THREADS",
    "TOKIO_WORKER_THREADS",
    // Which job of which CI it was.
    "BUILDKITE",
    "BUILDKITE_BUILD_NUMBER",
    "BUILDKITE_JOB_ID",
    "BUILD_ID",
    "BUILD_NUMBER",
    "CIRCLECI",
    "CIRCLE_BUILD_NUM",
    "CIRCLE_JOB",
    "CI_COMMIT_SHA",
    "CI_JOB_ID",
    "CI_JOB_NAME",
    "CI_PIPELINE_ID",
    "CI_PROJECT_PATH",
    "CI_RUNNER_ID",
    "GITHUB_ACTIONS",
    "GITHUB_JOB",
    "GITHUB_REF",
    "GITHUB_REPOSITORY",
    "GITHUB_RUN_ATTEMPT",
    "GITHUB_RUN_ID",
    "GITHUB_SHA",
    "GITHUB_WORKFLOW",
    "GITLAB_CI",
    "JENKINS_URL",
    "JOB_NAME",
    "RUNNER_ARCH",
    "RUNNER_NAME",
    "RUNNER_OS",
    "TEAMCITY_VERSION",
    "TF_BUILD",
    "TRAVIS",
    "TRAVIS_JOB_ID",
];

/// Families of such variables.
const KEPT_FAMILIES: &[&str] = &["HANGDOG_", "LC_", "NEXTEST_"];

/// Keeps the variables of the allow-list, without the secrets in their values.
pub fn environment(variables: impl IntoIterator<Item = (String, String)>) -> Redacted<Vec<(String, String)>> {
    let mut kept = Redacted { value: Vec::new(), removed: Vec::new() };
    for (name, value) in variables {
        let listed = KEPT_VARIABLES.contains(&name.as_str()) || name == "HANGDOG";
        let of_family = KEPT_FAMILIES.iter().any(|family| name.starts_with(family)) && !secret::is_name(&name);
        if listed || of_family {
            let value = text(&value);
            kept.removed.extend(value.removed.into_iter().map(|what| format!("{what} in the variable {name}")));
            kept.value.push((name, value.value));
        } else {
            kept.removed.push(format!("the variable {name}"));
        }
    }
    kept
}

/// What an argument says of the one after it.
enum Next {
    Anything,
    /// It is the value of this secret.
    Secret(String),
    /// It is a shell command: several words in one argument.
    Shell,
    /// It is `user:password`.
    UserAndPassword,
}

/// Removes secrets from the arguments of a command. As many arguments come back.
pub fn arguments<S: AsRef<str>>(arguments: &[S]) -> Redacted<Vec<String>> {
    let mut redacted = Redacted { value: Vec::with_capacity(arguments.len()), removed: Vec::new() };
    let mut next = Next::Anything;
    for argument in arguments {
        let argument = argument.as_ref();
        let (kept, after) = one_argument(argument, next, &mut redacted.removed);
        redacted.value.push(kept);
        next = after;
    }
    redacted
}

fn one_argument(argument: &str, role: Next, removed: &mut Vec<String>) -> (String, Next) {
    match role {
        Next::Secret(name) if !argument.starts_with("--") => {
            // `Authorization:` `Bearer` `…`: the scheme is no secret, what follows it is.
            if text::is_scheme(argument) {
                return (argument.to_owned(), Next::Secret(name));
            }
            removed.push(name);
            return (REMOVED.to_owned(), Next::Anything);
        }
        Next::UserAndPassword => {
            if let Some((user, password)) = argument.split_once(':')
                && !password.bytes().all(|b| b.is_ascii_digit())
            {
                removed.push("a password".to_owned());
                return (format!("{user}:{REMOVED}"), Next::Anything);
            }
        }
        Next::Anything => {
            // All of one argument is the value, blanks included.
            if let Some((name, value)) = argument.split_once('=')
                && text::is_word(name)
                && secret::is_name(name)
                && !value.is_empty()
            {
                removed.push(name.to_owned());
                return (format!("{name}={REMOVED}"), Next::Anything);
            }
        }
        Next::Shell | Next::Secret(_) => {}
    }
    let kept = text(argument);
    removed.extend(kept.removed);
    (kept.value, what_follows(argument))
}

fn what_follows(argument: &str) -> Next {
    let is_flag = argument.starts_with('-') && text::is_word(argument);
    if let Some(header) = argument.strip_suffix(':')
        && text::is_word(header)
        && secret::is_name(header)
    {
        return Next::Secret(header.to_owned());
    }
    match argument {
        "-u" | "--user" | "--proxy-user" => Next::UserAndPassword,
        _ if text::is_bearer(argument) => Next::Secret(argument.to_owned()),
        _ if is_flag && secret::is_name(argument) => Next::Secret(argument.to_owned()),
        _ if is_flag && !argument.starts_with("--") && argument.ends_with('c') => Next::Shell,
        _ => Next::Anything,
    }
}

/// Removes secrets from free text: a shell command, a line of output, a field of a span.
pub fn text(text: &str) -> Redacted<String> {
    text::redact(text)
}
