//! Sockets that listen.

use super::Address;
use socket2::{Domain, Protocol, Socket, Type};
#[cfg(unix)]
use std::os::unix::{
    fs::{FileTypeExt, MetadataExt, PermissionsExt},
    net::{UnixListener, UnixStream},
};
use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

/// A socket that listens already and does not block.
#[derive(Debug)]
pub enum ListeningSocket {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket and its file, which must be kept as long as it is listened on.
    #[cfg(unix)]
    Unix(UnixListener, SocketFile),
}

/// Connections that the system completes before they are accepted; it may have a lower limit. With the standard
/// library's 128, clients that come back together after a restart would wait for whole seconds.
const BACKLOG: i32 = 4096;

impl ListeningSocket {
    pub(super) fn tcp(address: SocketAddr) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        // A broker that starts again gets its port at once. On Windows the option would let others take the port.
        #[cfg(not(windows))]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // The same address of both families can be listened on side by side.
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Self::Tcp(socket.into()))
    }

    /// One that listens already, under another number; the first is closed with the listener that was made of it.
    pub(super) fn given(socket: &TcpListener) -> io::Result<Self> {
        let socket = socket.try_clone()?;
        socket.set_nonblocking(true)?;
        Ok(Self::Tcp(socket))
    }

    #[cfg(unix)]
    pub(super) fn unix(path: &Path, mode: Option<u32>) -> io::Result<Self> {
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&socket2::SockAddr::unix(path)?)?;
        let file = SocketFile::of(path)?;
        if let Some(mode) = mode {
            // Nobody can connect before it listens.
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        }
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Self::Unix(std::os::fd::OwnedFd::from(socket).into(), file))
    }

    #[cfg(not(unix))]
    pub(super) fn unix(_: &Path, _: Option<u32>) -> io::Result<Self> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system has no Unix sockets",
        ))
    }

    pub(super) fn local_address(&self) -> io::Result<Address> {
        Ok(match self {
            Self::Tcp(socket) => Address::Ip(socket.local_addr()?),
            #[cfg(unix)]
            Self::Unix(_, file) => Address::Unix(file.path.clone()),
        })
    }
}

/// Removes the file of a socket that nobody listens on any more, and no other file.
#[cfg(unix)]
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type().is_socket(),
        Err(_) => return Ok(()),
    };
    if !is_socket {
        let what = "there is a file that is no socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// The file of a Unix socket. Dropping this removes it, unless it is somebody else's by then.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl SocketFile {
    #[cfg(unix)]
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            inode: fs::symlink_metadata(path)?.ino(),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        #[cfg(unix)]
        if fs::symlink_metadata(&self.path).is_ok_and(|now| now.ino() == self.inode) {
            // Nobody is left to tell; the next broker removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_burst_of_connections_waits_in_the_system_until_it_is_accepted() {
        let limit = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let burst = limit.trim().parse::<usize>().unwrap().min(600);
        let Ok(ListeningSocket::Tcp(listener)) =
            ListeningSocket::tcp("127.0.0.1:0".parse().unwrap())
        else {
            panic!("loopback can be listened on");
        };
        let address = listener.local_addr().unwrap();
        let connections: Vec<_> = (0..burst)
            .map(|_| std::net::TcpStream::connect(address).unwrap())
            .collect();
        let accepted = std::iter::from_fn(|| listener.accept().ok());
        assert_eq!(accepted.count(), connections.len());
    }

    #[cfg(unix)]
    mod files {
        use super::*;

        fn directory(name: &str) -> PathBuf {
            let unique = format!("sanderling-{name}-{}", std::process::id());
            let directory = std::env::temp_dir().join(unique);
            fs::create_dir_all(&directory).unwrap();
            directory
        }

        #[test]
        fn the_file_of_a_socket_goes_with_it_and_has_the_mode_asked_for() {
            let directory = directory("mode");
            let path = directory.join("mqtt.sock");
            let socket = ListeningSocket::unix(&path, Some(0o600)).unwrap();
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            drop(socket);
            assert!(!path.exists());
            fs::remove_dir_all(directory).unwrap();
        }

        #[test]
        fn only_a_socket_that_nobody_listens_on_is_replaced() {
            let directory = directory("stale");
            let path = directory.join("mqtt.sock");
            drop(UnixListener::bind(&path).unwrap());
            assert!(path.exists(), "left by a broker that was killed");
            let socket = ListeningSocket::unix(&path, None).unwrap();
            let taken = ListeningSocket::unix(&path, None).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
            assert!(path.exists());
            drop(socket);
            fs::write(&path, "precious").unwrap();
            let refused = ListeningSocket::unix(&path, None).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&path).unwrap(), b"precious");
            fs::remove_dir_all(directory).unwrap();
        }
    }
}
