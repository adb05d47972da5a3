use proptest::prelude::*;

use super::{REMOVED, arguments, environment, text};

/// Arguments are split at `|`; `…` stands for what was removed.
#[track_caller]
fn check_arguments(command: &str, expected: &str, removed: &[&str]) {
    let redacted = arguments(&command.split('|').collect::<Vec<_>>());
    assert_eq!(redacted.value.join("|").replace(REMOVED, "…"), expected);
    assert_eq!(redacted.removed, removed);
}

#[test]
fn flags_with_secret_names() {
    check_arguments("app|--password=hunter2|-v", "app|--password=…|-v", &["--password"]);
    check_arguments("app|--password=two words|-v", "app|--password=…|-v", &["--password"]);
    check_arguments("app|--token|abc|run", "app|--token|…|run", &["--token"]);
    check_arguments("app|--token|-abc|run", "app|--token|…|run", &["--token"]);
    check_arguments("app|--token|--verbose", "app|--token|--verbose", &[]);
    check_arguments("app|--token", "app|--token", &[]);
    check_arguments("app|--api-key|x|--db-passwd|y", "app|--api-key|…|--db-passwd|…", &["--api-key", "--db-passwd"]);
    check_arguments("app|--password=", "app|--password=", &[]);
    check_arguments("psql|password=x host=h", "psql|password=…", &["password"]);
}

#[test]
fn variables_before_a_command() {
    check_arguments("env|DB_PASSWORD=x|PORT=80|app", "env|DB_PASSWORD=…|PORT=80|app", &["DB_PASSWORD"]);
    check_arguments(
        "env|AWS_SECRET_ACCESS_KEY=a/b+c|app",
        "env|AWS_SECRET_ACCESS_KEY=…|app",
        &["AWS_SECRET_ACCESS_KEY"],
    );
    check_arguments("env|npm_config_credential=x", "env|npm_config_credential=…", &["npm_config_credential"]);
}

#[test]
fn shell_commands_keep_the_rest() {
    check_arguments(
        "sh|-c|API_TOKEN=abc cargo test --password 'a b' && echo ok",
        "sh|-c|API_TOKEN=… cargo test --password … && echo ok",
        &["API_TOKEN", "--password"],
    );
    check_arguments("bash|-lc|SECRET=\"a b\"; make", "bash|-lc|SECRET=…; make", &["SECRET"]);
}

#[test]
fn headers() {
    check_arguments("curl|-H|Authorization: Bearer abc.def", "curl|-H|Authorization: Bearer …", &["Authorization"]);
    check_arguments(
        "curl|-H|authorization: AWS4 Credential=x, Signature=y",
        "curl|-H|authorization: …",
        &["authorization"],
    );
    check_arguments("http|Authorization:|Basic|dTpw|GET", "http|Authorization:|Basic|…|GET", &["Authorization"]);
    check_arguments("curl|-H|X-Api-Key: abc", "curl|-H|X-Api-Key: …", &["X-Api-Key"]);
    check_arguments("curl|-H|Cookie: a=b; c=d", "curl|-H|Cookie: …", &["Cookie"]);
    check_arguments("curl|-H|Accept: text/html", "curl|-H|Accept: text/html", &[]);
    check_arguments("curl|-u|joe:pw|http://h/", "curl|-u|joe:…|http://h/", &["a password"]);
    check_arguments("docker|-u|1000:1000", "docker|-u|1000:1000", &[]);
}

#[test]
fn urls() {
    check_arguments("git|https://joe:pw@host/x", "git|https://joe:…@host/x", &["the password of a URL"]);
    check_arguments(
        "app|postgres://u:p%40@h:5432/db?x=1",
        "app|postgres://u:…@h:5432/db?x=1",
        &["the password of a URL"],
    );
    check_arguments("git|ssh://git@host/x", "git|ssh://git@host/x", &[]);
    check_arguments("git|https://aaaaaaaaaabbbbbbbbbbcc@host/", "git|https://…@host/", &["the user of a URL"]);
    check_arguments("curl|http://h/?token=abc&x=1", "curl|http://h/?token=…&x=1", &["token"]);
    check_arguments("curl|http://h/a@b", "curl|http://h/a@b", &[]);
}

#[test]
fn shapes() {
    let github = format!("ghp_{}", "a1B2".repeat(9));
    check_arguments(&format!("x|{github}|y"), "x|…|y", &["a GitHub token"]);
    check_arguments(&format!("x|clone {github}, please"), "x|clone …, please", &["a GitHub token"]);
    check_arguments("x|AKIAIOSFODNN7EXAMPLE", "x|…", &["an AWS access key"]);
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N";
    check_arguments(&format!("x|{jwt}"), "x|…", &["a JSON Web Token"]);
    check_arguments("x|q8Zr2LxW9vTn4KcYb7MfHs3DpGj6AeUq==|y", "x|…|y", &["a long random text"]);
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----";
    assert_eq!(text(&format!("a\n{key}\nb")).value, format!("a\n{REMOVED}\nb"));
}

#[test]
fn what_is_no_secret_stays() {
    for harmless in [
        "cargo|test|--test-threads=1|--nocapture",
        "x|4f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2",
        "x|6c5a3b1e-2f4d-4e8a-9b7c-1d2e3f4a5b6c",
        "x|tests::reads_the_index_of_version_1_and_2_after_a_cut::case_12",
        "x|/home/Joe/Project1/target/debug/deps/indexd-0123456789abcdef",
        "x|/nix/store/0c7q1bz3rs4p5n6m7k8j9h0g1f2d3s4a-coreutils-9.5",
        "x|01JD3X5Z8Q6V7W9Y0A1B2C3D4E",
        "x|--keyboard=us|--max-tokens=10|--passthrough=1",
        "x|-v|/etc/keys:/keys",
        "x|error: unexpected token: ;",
        "12 passed; 0 failed",
        "ünïcödé|🐕",
    ] {
        check_arguments(harmless, harmless, &[]);
    }
}

#[test]
fn json_in_text() {
    assert_eq!(text(r#"{"password": "a b", "n": 1}"#).value, r#"{"password": …, "n": 1}"#.replace('…', REMOVED));
    assert_eq!(text("password: abc").value, "password: …".replace('…', REMOVED));
}

#[test]
fn the_environment_is_an_allow_list() {
    let variables = [
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C"),
        ("AWS_REGION", "eu-1"),
        ("HANGDOG_PROFILE", "ci"),
        ("HANGDOG_TOKEN", "abc"),
        ("RUSTFLAGS", "--cfg x"),
        ("JENKINS_URL", "http://joe:pw@ci/"),
        ("PATH_", "x"),
    ];
    let redacted = environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let names: Vec<&str> = redacted.value.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["LANG", "LC_ALL", "HANGDOG_PROFILE", "RUSTFLAGS", "JENKINS_URL"]);
    assert_eq!(redacted.value[4].1, format!("http://joe:{REMOVED}@ci/"));
    let removed = [
        "the variable AWS_REGION",
        "the variable HANGDOG_TOKEN",
        "the password of a URL in the variable JENKINS_URL",
        "the variable PATH_",
    ];
    assert_eq!(redacted.removed, removed);
}

proptest! {
    #[test]
    fn as_many_arguments_come_back_and_nothing_new(args in prop::collection::vec(".{0,40}", 0..8)) {
        let redacted = arguments(&args);
        prop_assert_eq!(redacted.value.len(), args.len());
        for (kept, arg) in redacted.value.iter().zip(&args) {
            for part in kept.split(REMOVED) {
                prop_assert!(arg.contains(part), "{:?} of {:?}", part, arg);
            }
        }
        if redacted.removed.is_empty() {
            prop_assert_eq!(redacted.value, args);
        }
    }

    #[test]
    fn a_secret_never_survives_its_flag(
        flag in prop::sample::select(vec!["--password", "--api-token", "--client-secret", "--private-key"]),
        secret in "[a-zA-Z0-9!@#$%^*]{8,40}",
        together in any::<bool>(),
    ) {
        let args = if together { vec![format!("{flag}={secret}")] } else { vec![flag.to_owned(), secret.clone()] };
        let redacted = arguments(&args);
        prop_assert!(!redacted.value.join(" ").contains(&secret));
        prop_assert!(!redacted.removed.is_empty());
    }
}
