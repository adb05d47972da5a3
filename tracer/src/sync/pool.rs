//! A pool of connections or the like, of whatever crate: who has one of it, and who waits because all are out.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use hangdog_flight::{Primitive, Role};
use pin_project_lite::pin_project;

use super::held::Shared;
use super::known::{Known, Name};
use super::sites;
use super::waits::{For, PolledWait};

const GET: For = For::new(&sites::GET, Role::Wait);

/// Stands beside a pool and knows what is out of it. All that is taken must be taken through this, or be given to
/// [`Pool::hold`].
///
/// Who asks is said to wait for the pool only while all of it is out: before that a pool that makes him wait makes a new
/// connection, which is another wait.
///
/// ```
/// use hangdog_tracer::Pool;
///
/// # struct Db;
/// # impl Db { fn get(&self) -> Result<String, ()> { Ok("connection".into()) } }
/// # let db = Db;
/// let pool = Pool::new("db", 8);
/// let connection = pool.get(|| db.get())?;
/// assert_eq!(connection.len(), 10);
/// # Ok::<(), ()>(())
/// ```
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    known: Known,
    size: usize,
    out: AtomicUsize,
}

impl Pool {
    /// `pool:NAME`, which gives out `size` at most.
    pub fn new(name: &'static str, size: usize) -> Self {
        let known = Known::new(Primitive::Pool, Name::Given(name));
        Self { inner: Arc::new(Inner { known, size, out: AtomicUsize::new(0) }) }
    }

    /// Takes one by a call that blocks the thread.
    pub fn get<T, E>(&self, get: impl FnOnce() -> Result<T, E>) -> Result<Pooled<T>, E> {
        let waits = self.inner.is_exhausted().then(|| GET.here(&self.inner.known)).flatten();
        let got = get();
        drop(waits);
        Ok(self.hold(got?))
    }

    /// Takes one by a future.
    pub fn acquire<F, T, E>(&self, future: F) -> Acquire<'_, F>
    where
        F: Future<Output = Result<T, E>>,
    {
        Acquire { future, pool: self, wait: PolledWait::default() }
    }

    /// Says that a thing is out of the pool, until it is dropped.
    pub fn hold<T>(&self, value: T) -> Pooled<T> {
        self.inner.out.fetch_add(1, Relaxed);
        let hold = Shared::part(&self.inner.known);
        Pooled { value, _out: Out { _hold: hold, pool: self.inner.clone() } }
    }

    /// How many are out.
    pub fn out(&self) -> usize {
        self.inner.out.load(Relaxed)
    }
}

impl Inner {
    fn is_exhausted(&self) -> bool {
        self.out.load(Relaxed) >= self.size
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.inner.size).field("out", &self.out()).finish()
    }
}

pin_project! {
    /// A future of [`Pool::acquire`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Acquire<'a, F> {
        #[pin]
        future: F,
        pool: &'a Pool,
        wait: PolledWait,
    }
}

impl<F, T, E> Future for Acquire<'_, F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<Pooled<T>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let inner = &this.pool.inner;
        let id = || inner.known.id().filter(|_| inner.is_exhausted());
        this.wait.poll(GET, id, || this.future.poll(context)).map_ok(|value| this.pool.hold(value))
    }
}

/// Something that is out of a [`Pool`]; what it derefs to is the thing.
pub struct Pooled<T> {
    /// Goes back first: until then it is out.
    value: T,
    _out: Out,
}

struct Out {
    _hold: Shared,
    pool: Arc<Inner>,
}

impl Drop for Out {
    fn drop(&mut self) {
        self.pool.out.fetch_sub(1, Relaxed);
    }
}

impl<T> Deref for Pooled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Pooled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
