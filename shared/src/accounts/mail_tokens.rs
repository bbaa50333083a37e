//! Single-use tokens sent by mail, such as in the link that sets the first password.

mod purpose;
mod requests;
mod tokens;

pub use purpose::LinkPurpose;
pub use requests::{LinkRequest, make, open, request};
pub use tokens::{
    RedeemError, issue, issue_about, peek, redeem, redeem_one, spend_all, spend_all_but_undo, spend_later_undos,
};
