//! Call sites of the phases that traced locks and channels write. Those that hold or serve have no name:
//! whoever reads them makes it from the resource.

use hangdog_flight::{Site, SiteNumber};

macro_rules! sites {
    ($($(#[$only:meta])? $name:ident = $text:literal $([$($key:literal),*])?;)*) => {$(
        $(#[$only])?
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
    #[cfg(feature = "parking_lot")]
    UPGRADABLE_READ = "upgradable read";
    #[cfg(feature = "parking_lot")]
    UPGRADE = "upgrade";
    WAIT = "wait";
    #[cfg(feature = "tokio")]
    ACQUIRE = "acquire";
    SEND = "send";
    #[cfg(feature = "tokio")]
    RESERVE = "reserve";
    RECV = "recv";
    #[cfg(feature = "tokio")]
    CHANGED = "changed";
    GET = "get";
    HOLDS = "";
    ENDS = "";
    #[cfg(feature = "tokio")]
    PLACE = "has a place in the channel";
}
