//! The same program with the plain names and with ours: it compiles with both and does the same.

use std::sync::Arc;
use std::time::Duration;

macro_rules! blocking {
    ($module:ident, $($sync:ident)::+) => {
        mod $module {
            use std::fmt::Debug;
            use std::time::Duration;
            use $($sync)::+::mpsc::{RecvError, TryRecvError, TrySendError, channel, sync_channel};
            use $($sync)::+::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

            static COUNT: Mutex<u32> = Mutex::new(0);
            static TABLE: RwLock<Vec<u32>> = RwLock::new(Vec::new());
            static CHANGED: Condvar = Condvar::new();

            struct Keeps<'a> {
                one: MutexGuard<'a, u32>,
                read: RwLockReadGuard<'a, Vec<u32>>,
            }

            fn add(mut guard: RwLockWriteGuard<'_, Vec<u32>>) -> RwLockWriteGuard<'_, Vec<u32>> {
                guard.push(1);
                guard
            }

            fn shown(what: &dyn Debug) -> String {
                format!("{what:?}")
            }

            #[test]
            fn works() {
                crate::seen::started();
                *COUNT.lock().unwrap() += 1;
                drop(add(TABLE.write().unwrap()));
                let keeps = Keeps { one: COUNT.lock().unwrap(), read: TABLE.read().unwrap() };
                assert_eq!((*keeps.one, keeps.read.len()), (1, 1));
                assert!(matches!(COUNT.try_lock(), Err(TryLockError::WouldBlock)));
                assert!(TABLE.try_read().is_ok() && TABLE.try_write().is_err());
                assert_eq!((shown(&keeps.one), shown(&keeps.read), keeps.one.to_string()), ("1".into(), "[1]".into(), "1".into()));
                let (guard, timed_out) = CHANGED.wait_timeout(keeps.one, Duration::ZERO).unwrap();
                assert!(timed_out.timed_out());
                let guard = CHANGED.wait_while(guard, |count| *count == 0).unwrap();
                let (guard, timed_out) =
                    CHANGED.wait_timeout_while(guard, Duration::ZERO, |count| *count == 1).unwrap();
                assert!(timed_out.timed_out());
                drop(guard);
                let mut own: Mutex<String> = Mutex::from(String::new());
                own.get_mut().unwrap().push('x');
                assert_eq!(shown(&own), "Mutex { data: \"x\", poisoned: false, .. }");
                assert_eq!(own.into_inner().unwrap(), "x");
                assert_eq!(RwLock::<u8>::default().into_inner().unwrap(), 0);
                let unsized_lock: Box<Mutex<dyn Debug + Send>> = Box::new(Mutex::new(1));
                assert_eq!(shown(&*unsized_lock.lock().unwrap()), "1");

                let (sender, receiver) = channel();
                std::thread::scope(|scope| {
                    for n in 0..3 {
                        let sender = sender.clone();
                        scope.spawn(move || sender.send(n).unwrap());
                    }
                });
                drop(sender);
                assert_eq!(receiver.iter().sum::<i32>(), 3);
                assert_eq!((receiver.recv(), receiver.try_recv()), (Err(RecvError), Err(TryRecvError::Disconnected)));
                let (sender, receiver) = sync_channel(1);
                sender.try_send(1).unwrap();
                assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
                assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1]);
                assert!(receiver.recv_timeout(Duration::ZERO).is_err());
                drop(receiver);
                assert!(sender.send(3).is_err());
            }
        }
    };
}

blocking!(plain_std, std::sync);
blocking!(traced_std, hangdog_tracer::sync);

macro_rules! lots {
    ($module:ident, $($lot:ident)::+) => {
        mod $module {
            use $($lot)::+::{
                Condvar, MappedMutexGuard, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard,
                RwLockWriteGuard,
            };

            static PAIR: Mutex<(u32, u32)> = Mutex::new((1, 2));
            static TABLE: RwLock<Vec<u32>> = RwLock::new(Vec::new());

            #[test]
            fn works() {
                crate::seen::started();
                let mut part: MappedMutexGuard<'_, u32> = MutexGuard::map(PAIR.lock(), |pair| &mut pair.1);
                *part += 1;
                assert!(PAIR.try_lock().is_none() && PAIR.is_locked());
                drop(part);
                assert!(PAIR.try_lock_for(super::Duration::ZERO).is_some());
                let mut guard = PAIR.lock();
                assert_eq!(MutexGuard::unlocked(&mut guard, || PAIR.lock().1), 3);
                let condition = Condvar::new();
                assert!(condition.wait_for(&mut guard, super::Duration::ZERO).timed_out());
                condition.wait_while(&mut guard, |pair| pair.0 == 0);
                assert!(!condition.notify_one());
                assert_eq!(condition.notify_all(), 0);
                MutexGuard::unlock_fair(guard);
                TABLE.write().push(7);
                let reader = RwLockReadGuard::map(TABLE.read(), |table| &table[0]);
                assert_eq!((*reader, TABLE.is_locked(), TABLE.is_locked_exclusive()), (7, true, false));
                drop(reader);
                let mut writer = RwLockUpgradableReadGuard::upgrade(TABLE.upgradable_read());
                writer.push(8);
                let reader = RwLockWriteGuard::downgrade(writer);
                assert_eq!(*reader, [7, 8]);
            }
        }
    };
}

lots!(plain_lots, parking_lot);
lots!(traced_lots, hangdog_tracer::parking_lot);

macro_rules! asynchronous {
    ($module:ident, $($sync:ident)::+) => {
        mod $module {
            use super::Arc;
            use $($sync)::+::{
                Mutex, MutexGuard, Notify, OwnedMutexGuard, RwLock, RwLockReadGuard, Semaphore, broadcast, mpsc,
                oneshot, watch,
            };

            static COUNT: Mutex<u32> = Mutex::const_new(0);
            static PERMITS: Semaphore = Semaphore::const_new(2);

            async fn works_in_a_task() {
                *COUNT.lock().await += 1;
                let part = MutexGuard::map(COUNT.lock().await, |count| count);
                assert_eq!(*part, 1);
                drop(part);
                let own = Arc::new(Mutex::new(vec![1]));
                let mut guard: OwnedMutexGuard<Vec<u32>> = own.clone().lock_owned().await;
                guard.push(2);
                assert!(own.try_lock().is_err() && own.clone().try_lock_owned().is_err());
                assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&guard), &own));
                drop(own);
                assert_eq!(*guard, [1, 2]);
                drop(guard);
                let table = Arc::new(RwLock::new(1));
                let (one, other) = (table.clone().read_owned().await, table.read().await);
                assert_eq!(*RwLockReadGuard::map(other, |n| n) + *one, 2);
                drop(one);
                assert_eq!(*table.write().await.downgrade(), 1);
                let permit = PERMITS.acquire_many(2).await.unwrap();
                assert!(PERMITS.try_acquire().is_err());
                drop(permit);
                assert_eq!(PERMITS.available_permits(), 2);
                let notify = Notify::new();
                notify.notify_one();
                notify.notified().await;
                let mut enabled = std::pin::pin!(notify.notified());
                assert!(!enabled.as_mut().enable());
                notify.notify_waiters();
                enabled.await;

                let (sender, mut receiver) = mpsc::channel(2);
                let weak = sender.downgrade();
                sender.reserve().await.unwrap().send(1);
                weak.upgrade().unwrap().try_send(2).unwrap();
                let mut both = Vec::new();
                assert_eq!(receiver.recv_many(&mut both, 5).await, 2);
                drop(sender);
                assert_eq!((both, receiver.recv().await), (vec![1, 2], None));
                let (sender, receiver) = oneshot::channel();
                tokio::spawn(async move { sender.send(1) });
                assert_eq!(receiver.await, Ok(1));
                let (sender, mut receiver) = watch::channel(0);
                tokio::spawn(async move { sender.send_replace(3) });
                assert_eq!(*receiver.wait_for(|n| *n == 3).await.unwrap(), 3);
                assert!(receiver.changed().await.is_err());
                let (sender, mut receiver) = broadcast::channel(2);
                sender.send(1).unwrap();
                assert_eq!(receiver.recv().await, Ok(1));
            }

            #[test]
            fn works() {
                crate::seen::started();
                crate::seen::runtime().block_on(async { tokio::spawn(works_in_a_task()).await.unwrap() });
            }
        }
    };
}

asynchronous!(plain_tokio, tokio::sync);
asynchronous!(traced_tokio, hangdog_tracer::tokio::sync);

#[test]
fn guards_and_handles_go_where_the_plain_ones_go() {
    fn goes<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_shared::<hangdog_tracer::sync::Mutex<u8>>();
    is_shared::<hangdog_tracer::parking_lot::RwLock<u8>>();
    is_shared::<hangdog_tracer::tokio::sync::Semaphore>();
    is_shared::<hangdog_tracer::sync::mpsc::SyncSender<u8>>();
    goes::<hangdog_tracer::sync::mpsc::Receiver<u8>>();
    goes::<hangdog_tracer::tokio::sync::MutexGuard<'_, u8>>();
    goes::<hangdog_tracer::tokio::sync::OwnedSemaphorePermit>();
    goes::<hangdog_tracer::Pooled<u8>>();
}
