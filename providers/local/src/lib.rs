//! The local runtime: instances are processes of this host
