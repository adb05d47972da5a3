//! Numbers in what the kernel writes, in its own byte order. `None` where the bytes end.

pub(super) fn unsigned(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn signed(bytes: &[u8], at: usize) -> Option<i32> {
    unsigned(bytes, at).map(u32::cast_signed)
}

pub(super) fn wide(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
