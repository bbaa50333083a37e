//! Mail as an effect of a job: what it says, whether it may be sent, and what the server's answer means.

mod batcher;
mod breaker;
mod encoded;
mod mailer;
mod message;
mod smtp;
mod verdict;

pub(crate) use batcher::{Ending, MailBatcher};
pub(crate) use mailer::Sending;
pub use mailer::{Delivery, Mailer};
pub(crate) use message::moment;
pub use message::{Link, MailMessage, Recipient};
