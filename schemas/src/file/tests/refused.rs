use super::*;

#[track_caller]
fn check_refused(bytes: &[u8], message: &str, advice: &str) {
    let Err(error) = Reader::from_bytes(bytes) else { panic!("it was opened") };
    assert_eq!(error.to_string(), message);
    assert!(error.advice().contains(advice), "{}", error.advice());
}

#[test]
fn what_is_no_capture_is_named() {
    check_refused(b"", "the capture is empty", "record the run again");
    check_refused(b"hello, world", "this is no capture: it begins with \"hello, world\"", "give a .hang file");
    check_refused(b"\x1f\x8b\x08 and so on", "this is no capture: it begins with the mark of gzip", "give a .hang");
    let begins = "\\x1b[31m".to_owned() + &"x".repeat(19) + "…";
    let text = format!("\x1b[31m{}", "x".repeat(100));
    check_refused(text.as_bytes(), &format!("this is no capture: it begins with \"{begins}\""), "give");
    check_refused(
        &zstd_of("a,b\n"),
        "this is no capture: it begins with compressed text that begins with \"a,b\"",
        "",
    );
    check_refused(
        &zstd_of("{\"kind\":\"output\"}\n"),
        "this is no capture: it begins with compressed text that begins with \"{\\\"kind\\\":\\\"output\\\"}\"",
        "give",
    );
    let whole = capture(&[&[header()]]);
    for cut in [3, 20] {
        let message = format!("the capture was cut after {cut} bytes, before its first record was whole");
        check_refused(&whole[..cut], &message, "record the run again");
    }
    let mut damaged = whole.clone();
    damaged[40] ^= 0xff;
    let Err(error) = Reader::from_bytes(&damaged) else { panic!("it was opened") };
    assert!(matches!(error, OpenError::DamagedHeader { .. }), "{error}");
}

#[test]
fn another_major_version_is_refused_before_its_header_is_read() {
    check_refused(
        &zstd_of("{\"kind\":\"run\",\"format\":\"2.0\",\"all\":\"else differs\"}\n"),
        "the capture has format 2.0, and this hangdog reads 1.0 to 1.2",
        "upgrade hangdog",
    );
    check_refused(
        &zstd_of("{\"kind\":\"run\",\"format\":\"0.9\"}\n"),
        "the capture has format 0.9, and this hangdog reads 1.0 to 1.2",
        "the hangdog that wrote it",
    );
    check_refused(
        &zstd_of("{\"kind\":\"run\",\"format\":\"1.0\"}\n"),
        "the run header of the capture is not understood",
        "report this as a bug",
    );
}
