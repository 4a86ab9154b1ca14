//! KDL files in, a checked and resolved deployment out
