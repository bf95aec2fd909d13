//! The doctor, surveys, and the commands they are made of.

use std::sync::Arc;

use larder::redis::{Admin, AdminServer, RedisStore};
use larder::session::SessionRecord;
use larder::store::program::Programs;
use larder::store::scan::Scan;
use larder::{Key, Store};
use larder_ops::doctor::{self, Doctor, Report};
use larder_ops::keys::{Survey, Surveyor};
use larder_ops::page::{Figures, Operator, OpsPage};
use larder_ops::records;
use larder_ops::vitals::Vitals;

use super::{assert_send, send_and_sync};

fn servers(admin: &Admin, server: &AdminServer) {
    sent! {
        admin.run_on_key(&[b"TYPE", b"a"], b"a");
        admin.sentinels();
        server.certificate_end();
        server.run(&[b"PING"]);
        Vitals::read(server);
    }
}

fn examinations(doctor: &Doctor, redis: &Arc<RedisStore>) {
    sent! {
        doctor.examine(redis);
    }
}

fn surveys(surveyor: &Surveyor, store: &Arc<dyn Store>) {
    sent! {
        surveyor.survey(store, "a", |_| ());
    }
}

fn owners(store: &dyn Store) {
    sent! {
        doctor::namespace_owner(store, "a");
    }
}

fn listings(scan: &dyn Scan, programs: &dyn Programs, key: &Key) {
    sent! {
        records::list::<SessionRecord>(scan, "", 1, |_| ());
        records::inspect::<SessionRecord>(programs, &[]);
        records::number_of::<SessionRecord>(programs, key, "user");
        records::remove::<SessionRecord>(programs, &[], |_| ());
    }
}

#[test]
fn every_future_of_operations_can_be_sent() {
    let _ = servers;
    let _ = examinations;
    let _ = surveys;
    let _ = owners;
    let _ = listings;
    send_and_sync::<(Admin, AdminServer, Doctor, Report, Surveyor, Survey)>();
    send_and_sync::<(Figures, Operator, OpsPage)>();
}
