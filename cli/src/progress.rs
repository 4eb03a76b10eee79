//! Progress of long work, on standard error and only when that is a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows what goes on, or nothing.
#[derive(Clone, Copy)]
pub struct Progress {
    visible: bool,
    quiet: bool,
}

impl Progress {
    /// Visible unless it is unwanted or nobody looks.
    pub fn new(quiet: bool) -> Self {
        Self { visible: !quiet && std::io::stderr().is_terminal(), quiet }
    }

    /// Work of unknown length; the line disappears when the value is dropped.
    pub fn spinner(&self, text: &str) -> Task {
        let bar = ProgressBar::with_draw_target(None, self.target());
        bar.set_style(style("{spinner} {msg} {elapsed}"));
        bar.set_message(text.to_owned());
        if self.visible {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Task(bar)
    }

    /// Work whose length the first step tells.
    pub fn bar(&self, text: &str) -> Task {
        let bar = ProgressBar::with_draw_target(Some(0), self.target());
        bar.set_style(style("{msg}"));
        bar.set_message(text.to_owned());
        Task(bar)
    }

    /// One line that stays.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    fn target(&self) -> ProgressDrawTarget {
        match self.visible {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates in this file are valid")
}

/// One piece of work on display.
pub struct Task(ProgressBar);

impl Task {
    /// What it is doing now.
    pub fn says(&self, text: &str) {
        self.0.set_message(text.to_owned());
    }

    /// How far it has come.
    pub fn at(&self, position: u64, length: u64) {
        self.0.set_style(style("{msg} [{bar:30}] {pos}/{len} {elapsed}"));
        self.0.set_length(length);
        self.0.set_position(position);
    }
}

impl Task {
    /// How far it has come, in per cent and with the time that is left.
    pub fn timed(&self, position: u64, length: u64) {
        self.0.set_style(style("{msg} [{bar:30}] {percent}% {elapsed}, {eta} left"));
        self.0.set_length(length);
        self.0.set_position(position);
    }

    /// A next piece of work in its place: time counts from now.
    pub fn restarts(&self, text: &str) {
        self.0.reset();
        self.says(text);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
