//! What an event says, in the words of a capture. Pure: a field that is missing makes an event of no shape of its own.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hangdog_schemas::fact::{LockClass, SocketState};
use hangdog_schemas::record::{Doer, KernelDeed, KernelEvent, LockOutcome, LockRequest, SignalAction};
use hangdog_schemas::{Address, Big, Device, FuseConnection, Tid, When};

use super::layout::{Fields, Layout};
use super::ring::RawEvent;
use crate::clock::RunClock;
use crate::observe::syscalls;

/// `TRACE_FLAG_HARDIRQ`, `_SOFTIRQ` and `_NMI` of include/linux/trace_events.h.
const INTERRUPT: i64 = 0x08 | 0x10 | 0x40;
/// `FILE_LOCK_DEFERRED` of include/linux/filelock.h.
const DEFERRED: i64 = 1;
/// `FL_FLOCK` and `FL_OFDLCK` there.
const FL_FLOCK: i64 = 2;
const FL_OFDLCK: i64 = 1024;
/// Bits of the minor number in the kernel's own `dev_t`.
const MINOR_BITS: u32 = 20;

/// The shapes of the events that are switched on, by their numbers.
pub(super) type Layouts = BTreeMap<u16, Layout>;

/// `None` when its number is not among the shapes, or it has no thread.
pub(super) fn decode(layouts: &Layouts, clock: RunClock, event: RawEvent<'_>) -> Option<KernelEvent> {
    let layout = layouts.get(&u16::from_le_bytes(event.bytes.get(..2)?.try_into().ok()?))?;
    let fields = layout.of(event.bytes);
    let tid = Tid(fields.number("common_pid")?.try_into().ok()?);
    let is_interrupt = fields.number("common_flags")? & INTERRUPT != 0;
    let by = if is_interrupt { Doer::Interrupt } else { Doer::Thread };
    let when = When::exactly(clock.from_monotonic(event.t));
    let what = deed(&layout.name, tid, &fields)
        .unwrap_or_else(|| KernelDeed::Other { name: layout.name.replacen('/', ":", 1), text: fields.all() });
    Some(KernelEvent { when, tid, by, what })
}

fn deed(name: &str, tid: Tid, fields: &Fields<'_>) -> Option<KernelDeed> {
    let number = |name: &str| fields.number(name);
    let small = |name: &str| Some(fields.number(name)? as i32);
    let thread = |name: &str| Some(Tid(fields.number(name)?.try_into().ok()?));
    Some(match name {
        "fuse/fuse_request_send" => KernelDeed::FuseSend {
            connection: connection(fields)?,
            unique: Big(number("unique")? as u64),
            opcode: fuse_opcode(number("opcode")?),
        },
        "fuse/fuse_request_end" => KernelDeed::FuseEnd {
            connection: connection(fields)?,
            unique: Big(number("unique")? as u64),
            error: small("error")?,
        },
        "sched/sched_waking" => KernelDeed::Wake { woken: thread("pid")?, comm: fields.text("comm")? },
        "sched/sched_process_fork" => {
            KernelDeed::Fork { child: thread("child_pid")?, comm: fields.text("child_comm")? }
        }
        "sched/sched_process_exec" => {
            KernelDeed::Exec { file: fields.text("filename")?, was: thread("old_pid").filter(|was| *was != tid) }
        }
        "sched/sched_process_exit" => {
            KernelDeed::Exit { comm: fields.text("comm")?, last: number("group_dead").map(|dead| dead != 0) }
        }
        "signal/signal_generate" => KernelDeed::SignalSent {
            signal: small("sig")?,
            code: small("code")?,
            target: thread("pid")?,
            comm: fields.text("comm")?,
            result: small("result")?,
        },
        "signal/signal_deliver" => KernelDeed::SignalTaken {
            signal: small("sig")?,
            code: small("code")?,
            // SIG_DFL is 0; a signal that is ignored is not delivered.
            action: if number("sa_handler")? == 0 { SignalAction::Default } else { SignalAction::Handler },
        },
        "filelock/posix_lock_inode" | "filelock/flock_lock_inode" => file_lock(fields)?,
        "sock/inet_sock_set_state" => KernelDeed::SocketState {
            local: end(fields, "saddr", "sport")?,
            remote: end(fields, "daddr", "dport")?,
            from: tcp_state(number("oldstate")?),
            to: tcp_state(number("newstate")?),
        },
        "raw_syscalls/sys_enter" => syscall(number("id")?.try_into().ok()?, &arguments(fields)?),
        "raw_syscalls/sys_exit" => {
            let number: u32 = number("id")?.try_into().ok()?;
            KernelDeed::SyscallEnd { number, name: syscalls::name(number), result: fields.number("ret")? }
        }
        _ => return None,
    })
}

/// The device of the mount. Its minor number is what `/sys/fs/fuse/connections` has.
fn connection(fields: &Fields<'_>) -> Option<FuseConnection> {
    Some(FuseConnection(device(fields.number("connection")?).minor))
}

fn device(dev_t: i64) -> Device {
    let dev_t = dev_t as u32;
    Device { major: dev_t >> MINOR_BITS, minor: dev_t & ((1 << MINOR_BITS) - 1) }
}

fn file_lock(fields: &Fields<'_>) -> Option<KernelDeed> {
    let flags = fields.number("flags")?;
    let class = match () {
        () if flags & FL_FLOCK != 0 => LockClass::Flock,
        () if flags & FL_OFDLCK != 0 => LockClass::Ofd,
        () => LockClass::Posix,
    };
    // F_RDLCK, F_WRLCK, F_UNLCK.
    let asks = match fields.number("type")? {
        0 => LockRequest::Read,
        1 => LockRequest::Write,
        _ => LockRequest::Unlock,
    };
    let outcome = match fields.number("ret")? {
        0 => LockOutcome::Done,
        DEFERRED => LockOutcome::Waits,
        error => LockOutcome::Failed(-error as i32),
    };
    let inode = Big(fields.number("i_ino")? as u64);
    Some(KernelDeed::FileLock { class, asks, outcome, device: device(fields.number("s_dev")?), inode })
}

/// One end of a connection: the address of IPv6 stands in a field of its own.
fn end(fields: &Fields<'_>, address: &str, port: &str) -> Option<String> {
    const AF_INET: i64 = 2;
    let ip: IpAddr = if fields.number("family")? == AF_INET {
        Ipv4Addr::from(<[u8; 4]>::try_from(fields.bytes(address)?).ok()?).into()
    } else {
        Ipv6Addr::from(<[u8; 16]>::try_from(fields.bytes(&format!("{address}_v6"))?).ok()?).into()
    };
    Some(SocketAddr::new(ip, fields.number(port)? as u16).to_string())
}

/// By the numbers of include/net/tcp_states.h.
fn tcp_state(number: i64) -> SocketState {
    use SocketState as S;
    match number {
        1 => S::Established,
        2 => S::SynSent,
        // TCP_NEW_SYN_RECV is what the kernel has of a connection before its socket.
        3 | 12 => S::SynRecv,
        4 => S::FinWait1,
        5 => S::FinWait2,
        6 => S::TimeWait,
        7 => S::Close,
        8 => S::CloseWait,
        9 => S::LastAck,
        10 => S::Listen,
        11 => S::Closing,
        _ => S::Unknown,
    }
}

fn arguments(fields: &Fields<'_>) -> Option<[Address; 6]> {
    let bytes = fields.bytes("args")?;
    let mut args = [Address(0); 6];
    for (arg, word) in args.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *arg = Address(u64::from_le_bytes(*word));
    }
    Some(args)
}

fn syscall(number: u32, args: &[Address; 6]) -> KernelDeed {
    let name = syscalls::name(number);
    match name.as_str() {
        "futex" => KernelDeed::Futex { op: futex_op(args[1].0 as u32), uaddr: args[0], val: args[2].0 as u32 },
        "exit_group" => KernelDeed::ExitCall { code: args[0].0 as i32 },
        _ => KernelDeed::Syscall { number, name, args: *args },
    }
}

/// By the numbers of include/uapi/linux/futex.h; private or not, and by which clock, is left out.
fn futex_op(op: u32) -> String {
    const NAMES: [&str; 14] = [
        "WAIT",
        "WAKE",
        "FD",
        "REQUEUE",
        "CMP_REQUEUE",
        "WAKE_OP",
        "LOCK_PI",
        "UNLOCK_PI",
        "TRYLOCK_PI",
        "WAIT_BITSET",
        "WAKE_BITSET",
        "WAIT_REQUEUE_PI",
        "CMP_REQUEUE_PI",
        "LOCK_PI2",
    ];
    let command = op & 0x7f;
    NAMES.get(command as usize).map_or_else(|| command.to_string(), |name| (*name).to_owned())
}

/// By the numbers of include/uapi/linux/fuse.h.
fn fuse_opcode(opcode: i64) -> String {
    let name = match opcode {
        1 => "LOOKUP",
        2 => "FORGET",
        3 => "GETATTR",
        4 => "SETATTR",
        5 => "READLINK",
        6 => "SYMLINK",
        8 => "MKNOD",
        9 => "MKDIR",
        10 => "UNLINK",
        11 => "RMDIR",
        12 => "RENAME",
        13 => "LINK",
        14 => "OPEN",
        15 => "READ",
        16 => "WRITE",
        17 => "STATFS",
        18 => "RELEASE",
        20 => "FSYNC",
        21 => "SETXATTR",
        22 => "GETXATTR",
        23 => "LISTXATTR",
        24 => "REMOVEXATTR",
        25 => "FLUSH",
        26 => "INIT",
        27 => "OPENDIR",
        28 => "READDIR",
        29 => "RELEASEDIR",
        30 => "FSYNCDIR",
        31 => "GETLK",
        32 => "SETLK",
        33 => "SETLKW",
        34 => "ACCESS",
        35 => "CREATE",
        36 => "INTERRUPT",
        37 => "BMAP",
        38 => "DESTROY",
        39 => "IOCTL",
        40 => "POLL",
        41 => "NOTIFY_REPLY",
        42 => "BATCH_FORGET",
        43 => "FALLOCATE",
        44 => "READDIRPLUS",
        45 => "RENAME2",
        46 => "LSEEK",
        47 => "COPY_FILE_RANGE",
        48 => "SETUPMAPPING",
        49 => "REMOVEMAPPING",
        50 => "SYNCFS",
        51 => "TMPFILE",
        52 => "STATX",
        other => return other.to_string(),
    };
    name.to_owned()
}
