//! Authorities: today four replicas embedded in one process
