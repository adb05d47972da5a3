//! Hangs over sockets.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use crate::{Outcome, role};

/// Asks a service, which asks back on a port that is not accepted while the first reply is waited for.
pub(crate) fn unaccepted(_: &[String]) -> Outcome {
    role::take("asker")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut service =
        role::part("tcp-answerer")?.arg(listener.local_addr()?.to_string()).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    BufReader::new(service.stdout.take().ok_or("no output")?).read_line(&mut address)?;
    let reply = ask(address.trim_end(), "status")?;
    println!("{reply}");
    for connection in listener.incoming() {
        connection?.write_all(b"fine\n")?;
    }
    Ok(())
}

/// Answers each request after it has asked the one whose address it was given.
pub(crate) fn answerer(arguments: &[String]) -> Outcome {
    role::take("answerer")?;
    let back = arguments.first().ok_or("no address given")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    for connection in listener.incoming() {
        let mut connection = connection?;
        let mut request = String::new();
        BufReader::new(&connection).read_line(&mut request)?;
        let reply = ask(back, "who are you")?;
        connection.write_all(reply.as_bytes())?;
    }
    Ok(())
}

/// One line out, one line back, without a time limit.
fn ask(address: &str, request: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    writeln!(connection, "{request}")?;
    let mut reply = String::new();
    BufReader::new(connection).read_line(&mut reply)?;
    Ok(reply)
}

/// Both ends of a socket pair wait for the other to speak first.
pub(crate) fn unix_cycle(_: &[String]) -> Outcome {
    role::take("one")?;
    let (mut here, there) = UnixStream::pair()?;
    let mut other = role::part("unix-other")?.stdin(Stdio::from(OwnedFd::from(there))).spawn()?;
    let mut greeting = [0];
    here.read_exact(&mut greeting)?;
    here.write_all(&greeting)?;
    other.wait()?;
    Ok(())
}

/// Waits for a byte on standard input.
pub(crate) fn unix_other(_: &[String]) -> Outcome {
    role::take("other")?;
    io::stdin().read_exact(&mut [0])?;
    Ok(())
}
