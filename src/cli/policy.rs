//! `zegel policy explain`: what the rules make of a message, and why.
