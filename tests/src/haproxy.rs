//! The gateway as it is shipped: haproxy with `deploy/gateway/haproxy.cfg`, in which only names and ports are other ones.

use std::{
    fmt::Write as _,
    fs,
    process::{Child, Command},
};

use tempfile::TempDir;

use crate::{free_port, project_root, server::Server};

/// A haproxy on 127.0.0.1; killed when dropped.
pub struct Haproxy {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl Haproxy {
    /// Starts one before these instances of `server`, by their names.
    pub fn before(server: &mut Server, ingests: &[&str], scorings: &[&str]) -> Self {
        let directory = TempDir::with_prefix("foretide-haproxy-").unwrap();
        let port = free_port();
        let gateway = project_root().join("deploy/gateway");
        let mut text = fs::read_to_string(gateway.join("haproxy.cfg")).unwrap();
        let mut swap = |what: &str, with: &str| {
            assert!(text.contains(what), "haproxy.cfg is without {what}");
            text = text.replacen(what, with, 1);
        };
        // Docker's name server and the places of the containers.
        swap(
            "resolvers docker\n  nameserver dns 127.0.0.11:53\n  hold valid 5s\n",
            "",
        );
        swap(" resolvers docker init-addr none", "");
        swap(" port 9464", "");
        swap("bind :8080", &format!("bind 127.0.0.1:{port}"));
        swap("/usr/local/etc/haproxy", gateway.to_str().unwrap());
        for (service, names) in [("ingest", ingests), ("scoring", scorings)] {
            let mut servers = String::new();
            for name in names {
                let process = server.process(name);
                let admin = process.admin_url();
                let (_, admin_port) = admin.rsplit_once(':').unwrap();
                let port = process.port();
                writeln!(servers, "server {name} 127.0.0.1:{port} port {admin_port}").unwrap();
            }
            swap(
                &format!("server-template {service} 1-16 {service}:8080"),
                servers.trim_end(),
            );
        }
        let config = directory.path().join("haproxy.cfg");
        fs::write(&config, text).unwrap();
        let child = Command::new("haproxy")
            .arg("-db")
            .arg("-f")
            .arg(&config)
            .spawn()
            .expect("haproxy runs (Debian package haproxy)");
        Self {
            child,
            port,
            _directory: directory,
        }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
