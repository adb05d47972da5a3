//! Names of errors, as Linux numbers them on every architecture that hangdog knows.

/// `EBUSY`, or `errno 16` for one without a name here.
pub fn name(errno: i32) -> String {
    const NAMES: &[(i32, &str)] = &[
        (1, "EPERM"),
        (2, "ENOENT"),
        (4, "EINTR"),
        (5, "EIO"),
        (6, "ENXIO"),
        (9, "EBADF"),
        (11, "EAGAIN"),
        (12, "ENOMEM"),
        (13, "EACCES"),
        (16, "EBUSY (it is busy)"),
        (17, "EEXIST (it exists)"),
        (18, "EXDEV"),
        (20, "ENOTDIR"),
        (21, "EISDIR"),
        (22, "EINVAL"),
        (23, "ENFILE"),
        (24, "EMFILE"),
        (26, "ETXTBSY"),
        (28, "ENOSPC"),
        (30, "EROFS (it is read-only)"),
        (31, "EMLINK"),
        (32, "EPIPE"),
        (36, "ENAMETOOLONG"),
        (39, "ENOTEMPTY"),
        (40, "ELOOP"),
        (98, "EADDRINUSE (the address is in use)"),
        (99, "EADDRNOTAVAIL"),
        (101, "ENETUNREACH"),
        (103, "ECONNABORTED"),
        (104, "ECONNRESET"),
        (107, "ENOTCONN (the server is gone)"),
        (110, "ETIMEDOUT"),
        (111, "ECONNREFUSED (nobody listens yet or any more)"),
        (115, "EINPROGRESS"),
        (116, "ESTALE"),
    ];
    let known = NAMES.iter().find(|(number, _)| *number == errno);
    known.map_or_else(|| format!("errno {errno}"), |(_, name)| (*name).to_owned())
}
