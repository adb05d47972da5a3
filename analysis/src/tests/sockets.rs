//! Sockets.

use super::scene::{check, check_possible};

#[test]
fn two_services_that_call_each_other() {
    check(
        "proc 10 client <5 recvfrom(3)
         proc 11 orders <10 recvfrom(6)
         proc 12 users <10 recvfrom(7)
         fd 10.3 socket:[80]
         fd 11.5 socket:[81]
         fd 11.6 socket:[82]
         fd 11.4 socket:[90]
         fd 12.5 socket:[83]
         fd 12.7 socket:[84]
         tcp 80 127.0.0.1:5000 127.0.0.1:100 established
         tcp 81 127.0.0.1:100 127.0.0.1:5000 established
         tcp 82 127.0.0.1:5001 127.0.0.1:200 established
         tcp 83 127.0.0.1:200 127.0.0.1:5001 established
         tcp 84 127.0.0.1:5002 127.0.0.1:100 established
         tcp 0 127.0.0.1:100 127.0.0.1:5002 established rq=40
         tcp 90 127.0.0.1:100 0.0.0.0:0 listen rq=1 sq=5",
        "deadlock-cycle likely: 11 12; 10>11 tcp-reply, 11>12 tcp-reply, 12>11 tcp-accept",
    );
}

#[test]
fn a_long_poll_is_no_hang() {
    // The handler waits with a limit, the server's first thread for its child: the client.
    check(
        "proc 10 notifier <5 wait4(-1)
         task 10.20 serve poll([4r],1,30000)
         task 10.21 handler futex(0x100,0x189,0,0x7f)
         proc 11 subscriber <10 recvfrom(3)
         fd 10.4 socket:[90]
         fd 10.5 socket:[81]
         fd 11.3 socket:[80]
         tcp 80 127.0.0.1:5000 127.0.0.1:100 established
         tcp 81 127.0.0.1:100 127.0.0.1:5000 established
         tcp 90 127.0.0.1:100 0.0.0.0:0 listen",
        "nothing",
    );
}

#[test]
fn idle_servers_and_remote_hosts_are_no_verdict() {
    check(
        "proc 10 echod <5 epoll_wait(4,0,0,-1)
         fd 10.4 anon_inode:[eventpoll] epoll=5
         fd 10.5 socket:[90]
         tcp 90 127.0.0.1:100 0.0.0.0:0 listen",
        "nothing",
    );
    check(
        "proc 10 curl <5 poll([5r],1,-1)
         fd 10.5 socket:[80]
         tcp 80 10.0.0.1:5000 10.9.9.9:443 established",
        "nothing",
    );
}

#[test]
fn unread_bytes_make_the_reader_ready() {
    check(
        "proc 10 client <5 recvfrom(3)
         fd 10.3 socket:[80]
         tcp 80 127.0.0.1:5000 127.0.0.1:100 established rq=5",
        "nothing",
    );
}

#[test]
fn two_halves_of_a_socket_pair() {
    check(
        "proc 10 a <5 read(3)
         proc 11 b <10 read(4)
         fd 10.3 socket:[70]
         fd 11.4 socket:[71]
         unix 70 71
         unix 71 70",
        "deadlock-cycle likely: 10 11; 10>11 unix-socket-data, 11>10 unix-socket-data",
    );
}

#[test]
fn a_unix_connection_that_its_own_server_has_not_accepted() {
    let scene = "proc 10 client <5 recvfrom(3)
         proc 11 server <10 recvfrom(4)
         fd 10.3 socket:[70]
         fd 11.5 socket:[71]
         fd 11.6 socket:[60]
         fd 11.4 socket:[72]
         unix 70 71
         unix 71 70 /run/s
         unix 60 - /run/s listen pending=72
         unix 72 -";
    check(scene, "self-deadlock likely: 11; 10>11 unix-socket-data, 11>11 unix-socket-accept");
    // Another process listens there, too, and is at work.
    check_possible(&format!("{scene}\nproc 12 helper <10 clock_nanosleep()\nfd 12.6 socket:[60]"), "nothing");
    // Without the listener's list nobody knows where the connection leads.
    check(&scene.replace(" pending=72", ""), "nothing");
}

#[test]
fn a_threaded_server_with_a_free_acceptor_is_judged_by_its_busy_thread() {
    // The acceptor is idle; the thread that handles the request waits with a limit: live.
    check(
        "proc 10 client <5 recvfrom(3)
         proc 11 server <10 accept(4)
         task 11.21 handler clock_nanosleep()
         fd 10.3 socket:[80]
         fd 11.4 socket:[90]
         fd 11.5 socket:[81]
         tcp 80 127.0.0.1:5000 127.0.0.1:100 established
         tcp 81 127.0.0.1:100 127.0.0.1:5000 established
         tcp 90 127.0.0.1:100 0.0.0.0:0 listen",
        "nothing",
    );
}

#[test]
fn a_connected_udp_socket_waits_for_whoever_has_its_peer() {
    let scene = "proc 10 resolve <5 recvfrom(3)
         proc 11 nameserver <10 recvfrom(4)
         fd 10.3 socket:[80]
         fd 11.4 socket:[90]
         udp 80 127.0.0.1:5000 127.0.0.1:53 established
         udp 90 127.0.0.1:53 0.0.0.0:0 close
         declared";
    check_possible(scene, "external-wait possible: 11; 10>11 udp-reply, 11>nobody remote-reply");
    // Bound to all addresses it answers at those of this host, which are not on record but for this one.
    let any = scene.replace("udp 90 127.0.0.1:53", "udp 90 0.0.0.0:53");
    check_possible(&any, "external-wait possible: 11; 10>11 udp-reply, 11>nobody remote-reply");
    let away = any.replace("127.0.0.1:5000 127.0.0.1:53", "10.0.0.1:5000 10.9.9.9:53");
    check_possible(&away, "external-wait possible: 10; 10>nobody remote-reply");
    // The server is at work.
    check(&scene.replace("<10 recvfrom(4)", "<10 clock_nanosleep()").replace("declared", ""), "nothing");
}

#[test]
fn a_writer_into_a_connection_that_is_not_accepted() {
    let scene = "proc 10 server <5 recvfrom(5)
         proc 11 client <10 sendto(3)
         fd 10.4 socket:[90]
         fd 10.5 socket:[70]
         fd 11.3 socket:[80]
         fd 11.6 socket:[71]
         unix 70 71
         unix 71 70
         tcp 80 127.0.0.1:5000 127.0.0.1:100 established sq=4000
         tcp 0 127.0.0.1:100 127.0.0.1:5000 established rq=4000
         tcp 90 127.0.0.1:100 0.0.0.0:0 listen rq=1 sq=5";
    check(scene, "deadlock-cycle likely: 10 11; 10>11 unix-socket-data, 11>10 tcp-accept");
    // It is sent again and again, and nobody says that it came.
    check(&scene.replace("sq=4000", "sq=4000 again=2"), "nothing");
}

#[test]
fn a_thread_that_has_both_ends_of_a_connection_may_have_a_limit() {
    let scene = |call: &str| {
        format!(
            "proc 10 job <5 {call}
             fd 10.3 socket:[70]
             fd 10.4 socket:[71]
             unix 70 71
             unix 71 70"
        )
    };
    check(&scene("recvfrom(3)"), "nothing");
    // A poll has its own limit, which is none.
    check(&scene("poll([3r],1,-1)"), "self-deadlock certain: 10; 10>10 unix-socket-data");
}
