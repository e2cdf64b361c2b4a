//! Where a query is to go on: [`Cursor`].

use std::fmt;

use indelible::Order;

use crate::error::ApiError;
use crate::read::number::number;

/// Bytes that a cursor may have.
pub(crate) const CURSOR_SIZE_MAX: usize = 128;

/// Where a query is to go on. Clients get it as a text that they do not look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) order: Order,
    /// The next record to look at.
    pub(crate) seq: u64,
}

impl Cursor {
    /// Reads a cursor for a query in `order`.
    ///
    /// # Errors
    /// Where it is none, or one of a query in the other order.
    pub(crate) fn parse(text: &str, order: Order) -> Result<Self, ApiError> {
        let wrong = |what| Err(ApiError::field("cursor", what));
        if text.len() > CURSOR_SIZE_MAX {
            return wrong("it is longer than any cursor that the service gave");
        }
        let Some((letter @ ("o" | "n"), seq)) = text.split_at_checked(1) else {
            return wrong("it is none that the service gave");
        };
        if letter != letter_of(order) {
            return wrong("it is of a query in the other order");
        }
        match number(seq) {
            Some(seq) => Ok(Self { order, seq }),
            None => wrong("it is none that the service gave"),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", letter_of(self.order), self.seq)
    }
}

fn letter_of(order: Order) -> &'static str {
    match order {
        Order::NewestFirst => "n",
        Order::OldestFirst | _ => "o",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_in_its_order_and_refused_in_the_other() {
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let cursor = Cursor { order, seq: 918 };
            assert_eq!(Cursor::parse(&cursor.to_string(), order).unwrap(), cursor);
        }
        assert!(Cursor::parse("o918", Order::NewestFirst).is_err());
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "o", "918", "o-1", "o+1", "o01", "o1x", "é1", "o99999999999999999999"] {
            assert!(Cursor::parse(text, Order::OldestFirst).is_err(), "{text:?}");
        }
    }
}
