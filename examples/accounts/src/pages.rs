//! The pages, one a file: what each shows, and what its form does.

pub(crate) mod account;
pub(crate) mod change_password;
pub(crate) mod confirm;
pub(crate) mod delete_account;
pub(crate) mod devices;
pub(crate) mod home;
pub(crate) mod notes;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
pub(crate) mod sign_up;
