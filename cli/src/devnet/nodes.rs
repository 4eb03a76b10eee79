//! The processes of a development network. Each holds the reading end of a pipe from this one as
//! its standard input and ends when that does: however this process ends, no node stays behind.

use std::fs::OpenOptions;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::place::Place;
use crate::fail::{Failure, Result};

/// Time for a node to finish.
const GRACE: Duration = Duration::from_secs(30);

struct Node {
    name: String,
    child: Child,
    leash: Option<ChildStdin>,
    ended: bool,
}

impl Node {
    fn start(place: &Place, name: String) -> Result<Self> {
        let path = place.log(&name);
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let log = log.map_err(|error| Failure::file(&path, &error))?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["node", "run", "--stop-with-stdin", "--config"])
            .arg(place.config(&name))
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let leash = child.stdin.take();
        Ok(Self { name, child, leash, ended: false })
    }
}

/// Running nodes.
pub struct Children(Vec<Node>);

impl Children {
    /// Starts one process for every node of a directory.
    pub fn start(place: &Place) -> Result<Self> {
        let mut children = Self(Vec::new());
        for member in place.members()? {
            children.0.push(Node::start(place, member.name)?);
        }
        place.remember_processes(&children.ids())?;
        Ok(children)
    }

    /// Starts one that has ended again.
    pub fn restart(&mut self, place: &Place, index: usize) -> Result<()> {
        self.0[index] = Node::start(place, self.0[index].name.clone())?;
        place.remember_processes(&self.ids())
    }

    /// Ids of the processes, in the order of the genesis.
    pub fn ids(&self) -> Vec<u32> {
        self.0.iter().map(|node| node.child.id()).collect()
    }

    /// Nodes that have ended since the last look, for people.
    pub fn watch(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        for node in self.0.iter_mut().filter(|node| !node.ended) {
            if let Ok(Some(status)) = node.child.try_wait() {
                node.ended = true;
                news.push(format!("{} has ended: {status}", node.name));
            }
        }
        news
    }

    /// Kills one without a warning.
    pub fn kill(&mut self, index: usize) -> Result<()> {
        self.0[index].child.kill()?;
        self.0[index].child.wait()?;
        self.0[index].ended = true;
        Ok(())
    }

    /// Whether none is left.
    pub fn all_ended(&self) -> bool {
        self.0.iter().all(|node| node.ended)
    }

    /// Lets all of them finish; whoever takes too long is killed.
    pub fn stop(&mut self) {
        for node in &mut self.0 {
            node.leash = None;
        }
        let begin = Instant::now();
        loop {
            self.watch();
            if self.all_ended() {
                return;
            }
            if begin.elapsed() > GRACE {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        for node in self.0.iter_mut().filter(|node| !node.ended) {
            let _ = node.child.kill();
            let _ = node.child.wait();
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.stop();
    }
}
