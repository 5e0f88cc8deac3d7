//! What is kept of a stream that may never end: its head and its tail.
//!
//! Invariants: memory stays within the limit, and the writer never waits for a reader.

use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

/// One stream of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The kept text; a marker line stands where the middle was cut. Bytes that are no UTF-8 are
    /// replaced.
    pub text: String,
    /// Bytes that were cut out.
    pub cut_bytes: u64,
}

/// Reads a stream to its end, or until told to give up.
pub(super) async fn capture(
    mut stream: impl AsyncRead + Unpin,
    limit: usize,
    give_up: &CancellationToken,
) -> io::Result<Captured> {
    let mut kept = HeadAndTail::new(limit);
    let mut buffer = vec![0; PIECE];
    loop {
        let read = tokio::select! {
            biased;
            read = stream.read(&mut buffer) => read?,
            () = give_up.cancelled() => 0,
        };
        match read {
            0 => return Ok(kept.into_captured()),
            count => kept.push(&buffer[..count]),
        }
    }
}

/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;

struct HeadAndTail {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    half: usize,
    cut_bytes: u64,
}

impl HeadAndTail {
    fn new(limit: usize) -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), half: limit / 2, cut_bytes: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = self.half - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let fresh = &rest[rest.len().saturating_sub(self.half)..];
        let stale = (self.tail.len() + fresh.len()).saturating_sub(self.half);
        self.tail.drain(..stale);
        self.tail.extend(fresh);
        self.cut_bytes += (stale + rest.len() - fresh.len()) as u64;
    }

    fn into_captured(mut self) -> Captured {
        let mut bytes = self.head;
        if self.cut_bytes > 0 {
            let mark = format!("\n[{} bytes of output were cut here]\n", self.cut_bytes);
            bytes.extend_from_slice(mark.as_bytes());
        }
        bytes.extend_from_slice(self.tail.make_contiguous());
        Captured { text: String::from_utf8_lossy(&bytes).into_owned(), cut_bytes: self.cut_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn captured(bytes: &[u8], limit: usize) -> Captured {
        capture(bytes, limit, &CancellationToken::new()).await.unwrap()
    }

    #[tokio::test]
    async fn short_output_is_kept_whole() {
        let kept = captured(b"all is well\n", 64).await;
        assert_eq!(kept, Captured { text: "all is well\n".into(), cut_bytes: 0 });
    }

    #[tokio::test]
    async fn output_of_exactly_the_limit_is_kept_whole() {
        assert_eq!(captured(b"12345678", 8).await.text, "12345678");
    }

    #[tokio::test]
    async fn of_long_output_the_head_and_the_tail_are_kept_and_the_cut_is_told() {
        let kept = captured(b"head0123456789tail", 8).await;
        assert_eq!(kept.text, "head\n[10 bytes of output were cut here]\ntail");
        assert_eq!(kept.cut_bytes, 10);
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_do_not_lose_the_rest() {
        assert_eq!(captured(b"a\xffb", 64).await.text, "a\u{fffd}b");
    }

    #[test]
    fn pieces_of_any_size_keep_the_same_bytes() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for size in [1, 7, 64, 333, 1000] {
            let mut kept = HeadAndTail::new(100);
            bytes.chunks(size).for_each(|piece| kept.push(piece));
            assert_eq!(kept.head, &bytes[..50], "in pieces of {size}");
            assert_eq!(kept.tail.make_contiguous(), &bytes[950..], "in pieces of {size}");
            assert_eq!(kept.cut_bytes, 900, "in pieces of {size}");
        }
    }
}
