//! Call sites of the phases that traced locks and channels write. Those that hold or serve have no name:
//! whoever reads them makes it from the resource.

use hangdog_flight::{Site, SiteNumber};

macro_rules! sites {
    ($($name:ident = $text:literal $([$($key:literal),*])?;)*) => {$(
        pub(crate) static $name: Site = {
            static NUMBER: SiteNumber = SiteNumber::new();
            Site::new($text, &[$($($key),*)?], &NUMBER)
        };
    )*};
}

sites! {
    LOCK = "lock";
    READ = "read";
    WRITE = "write";
    UPGRADABLE_READ = "upgradable read";
    UPGRADE = "upgrade";
    WAIT = "wait";
    ACQUIRE = "acquire";
    SEND = "send";
    RESERVE = "reserve";
    RECV = "recv";
    CHANGED = "changed";
    GET = "get";
    HOLDS = "";
    ENDS = "";
    PLACE = "has a place in the channel";
}
