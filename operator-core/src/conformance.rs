//! The suite that any implementer of [`Subject`](crate::Subject) runs against its own.
