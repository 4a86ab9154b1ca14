//! What a provider promises, and the suite that checks it
