//! What a secret looks like: by its name, by its own shape, by its randomness.

/// Parts of a name that make its value a secret.
const SECRET_PARTS: &[&str] = &["pass", "secret", "token", "credential", "key"];

/// Whole names whose values are secrets.
const SECRET_NAMES: &[&str] =
    &["auth", "authorization", "proxy-authorization", "cookie", "set-cookie", "pwd", "psk", "sig", "signature"];

/// Words in which those parts mean nothing.
const HARMLESS: &[&str] = &[
    "bypass",
    "compass",
    "keyboard",
    "keyframe",
    "keymap",
    "keyspace",
    "keyword",
    "max-tokens",
    "max_tokens",
    "monkey",
    "passed",
    "passes",
    "passive",
    "passthrough",
    "passthru",
    "public-key",
    "public_key",
    "tokenizer",
];

/// Whether a name (of a flag, a variable, a field, a header) says that its value is a secret.
pub(super) fn is_name(name: &str) -> bool {
    let name = name.trim_start_matches('-').to_ascii_lowercase();
    if SECRET_NAMES.contains(&name.as_str()) {
        return true;
    }
    let name = HARMLESS.iter().fold(name, |name, word| name.replace(word, ""));
    SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// Begins of tokens that their makers have marked, the least length, and what they are.
const MARKED: &[(&str, usize, &str)] = &[
    ("ghp_", 20, "a GitHub token"),
    ("gho_", 20, "a GitHub token"),
    ("ghu_", 20, "a GitHub token"),
    ("ghs_", 20, "a GitHub token"),
    ("ghr_", 20, "a GitHub token"),
    ("github_pat_", 30, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("xoxa-", 20, "a Slack token"),
    ("xoxb-", 20, "a Slack token"),
    ("xoxp-", 20, "a Slack token"),
    ("xoxs-", 20, "a Slack token"),
    ("sk-", 32, "an API key"),
    ("sk_live_", 20, "an API key"),
    ("rk_live_", 20, "an API key"),
    ("AIza", 35, "a Google API key"),
    ("npm_", 36, "an npm token"),
    ("pypi-", 40, "a PyPI token"),
    ("hf_", 30, "a Hugging Face token"),
    ("dop_v1_", 40, "a DigitalOcean token"),
];

/// What a word is, when it has the shape of a secret.
pub(super) fn shape(word: &str) -> Option<&'static str> {
    if let Some((_, _, what)) = MARKED.iter().find(|(mark, len, _)| word.len() >= *len && word.starts_with(mark)) {
        return Some(what);
    }
    // Access key ids of AWS: four letters and sixteen more.
    let aws = ["AKIA", "ASIA"].iter().any(|mark| word.starts_with(mark));
    if aws && word.len() == 20 && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
        return Some("an AWS access key");
    }
    // A JSON Web Token begins with the base64 of `{"`.
    if word.starts_with("eyJ") && word.len() > 40 && word.bytes().filter(|b| *b == b'.').count() >= 2 {
        return Some("a JSON Web Token");
    }
    is_random(word).then_some("a long random text")
}

/// Whether a word is long and follows no pattern that a person or a compiler makes.
///
/// Hashes in hexadecimal, UUIDs, names of tests and of temporary files are no secrets: they lack one of
/// upper case, lower case and digits, or keep their digits together.
fn is_random(word: &str) -> bool {
    let word = word.trim_end_matches('=');
    if word.len() < 32 {
        return false;
    }
    let (mut upper, mut lower, mut digit_groups, mut before) = (0, 0, 0, false);
    let mut counts = [0_u32; 256];
    for b in word.bytes() {
        upper += u32::from(b.is_ascii_uppercase());
        lower += u32::from(b.is_ascii_lowercase());
        digit_groups += u32::from(b.is_ascii_digit() && !before);
        before = b.is_ascii_digit();
        counts[usize::from(b)] += 1;
    }
    let len = word.len() as f64;
    let bits = |n: f64| -(n / len) * (n / len).log2();
    let entropy: f64 = counts.iter().filter(|n| **n > 0).map(|n| bits(f64::from(*n))).sum();
    upper >= 4 && lower >= 4 && digit_groups >= 3 && entropy > 4.0
}
