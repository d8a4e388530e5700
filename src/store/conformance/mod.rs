//! What every store and every blob store must do, whatever it is built on: one file for each role. The tests of an
//! implementation call `store_conformance!` or `blobs_conformance!` with a way to make a fresh one.

pub mod access;
pub mod blob_index;
pub mod blobs;
pub mod downloads;
pub mod drafts;
pub mod gauges;
pub mod intake;
pub mod keys;
pub mod person;
pub mod queue;
pub mod queue_admin;
pub mod rates;
pub mod reminders;
pub mod retention;
pub mod sample;
pub mod sender;
pub mod status;
pub mod tracking;
pub mod trail;
pub mod transfers;
pub mod uploads;
pub mod verification;

pub use self::sample::*;

/// One test for each statement. `$open` is an expression that gives a new, empty store, and whatever must live
/// as long as it.
macro_rules! store_conformance {
    ($open:expr) => {
        $crate::store::conformance::store_conformance! { $open =>
            queue: a_message_comes_back_as_it_went_in, an_item_is_claimed_by_one, a_claim_runs_out, claims_are_released_at_start, a_late_end_changes_nothing, a_released_claim_ends_nothing, the_oldest_goes_first_and_no_more_than_asked, a_flood_of_one_organisation_delays_the_others_by_little, no_organisation_gets_more_than_its_share, an_attempt_is_recorded_per_recipient, a_finished_item_goes_with_its_blob, a_report_is_queued_with_the_failure, an_attempt_on_a_dropped_item_is_no_error, what_was_not_reached_is_made_due;
            queue_admin: retry_makes_due_but_never_twice, what_is_frozen_waits_for_somebody, a_dropped_item_is_gone, the_queue_can_be_looked_at, what_is_held_is_not_delivered_until_it_is_released, what_is_being_delivered_is_held_afterwards, what_is_sent_back_is_due_at_once;
            intake: what_is_refused_leaves_nothing, one_refusal_spoils_no_other, a_sealed_thread_is_known, a_delivered_notification_is_noted, reports_are_kept_and_close_only_what_nobody_has_opened, a_bounce_closes_a_link_until_the_next_notification;
            transfers: a_transfer_comes_back_as_it_went_in;
            access: tries_are_counted_before_they_are_made, a_withdrawn_try_leaves_no_trace, every_lock_is_longer, a_right_password_forgets_the_tries, an_opening_is_noted_with_the_first_use_of_a_session, a_look_at_a_session_is_no_use, a_session_opens_its_link_only, a_session_ends_when_idle, sessions_of_a_link_are_bounded, a_closed_link_is_not_opened;
            sender: a_recall_destroys_one_key_or_all, of_two_recalls_one_does_it, a_recall_drops_what_has_not_left, a_recalled_recipient_is_told_only_if_notified, what_is_gone_can_be_neither_recalled_nor_extended, a_new_date_is_told_with_it, limited_notices_are_bounded_in_all, a_limited_notice_goes_once, a_lock_can_be_taken_off, of_a_recall_and_an_opening_nothing_stays_open, a_transfer_is_extended_or_expires, of_a_failure_and_a_mail_sent_again_the_link_stays_open;
            status: a_trail_is_of_one_transfer, what_is_sent_again_keeps_the_first_time, a_late_failure_does_not_close_what_is_sent_again, a_bounce_is_remembered_when_it_is_sent_again;
            person: nobody_is_erased_while_a_link_of_theirs_is_open, somebody_is_found_in_transfers_however_they_are_spelled;
            trail: rows_are_chained_once_and_verified, a_person_is_erased_and_the_chain_holds, what_is_forgotten_leaves_a_chain_that_holds, an_event_says_whose_it_is;
            downloads: downloads_are_counted_per_part, a_download_is_one_however_often_it_is_asked_for, a_links_events_are_bounded_and_its_count_goes_on, a_download_is_told_once_an_hour;
            reminders: reminders_are_due_at_half_time_and_in_the_last_days, reminders_are_queued_once, who_opened_meanwhile_is_not_reminded;
            retention: a_leap_of_the_clock_is_believed_after_an_hour, expiry_destroys_keys_sessions_and_parts, expiry_takes_drafts_along, an_idle_draft_is_swept, what_had_its_time_is_forgotten, organisations_have_days_of_their_own, a_thread_lives_from_its_last_message;
            drafts: a_draft_is_its_authors_only, a_draft_is_replaced_as_it_was_read, a_closed_link_takes_nothing, drafts_of_a_link_are_bounded, an_answer_ends_the_draft_it_was_read_from, answers_are_counted_by_the_day;
            uploads: uploads_keep_their_limits, a_piece_is_added_once_and_in_its_place, a_length_is_told_once, a_removed_upload_gives_up_its_blobs, a_whole_upload_is_marked_as_scanned;
            verification: a_code_is_tried_and_spent, codes_and_mails_are_counted, codes_are_bounded_per_link_and_in_all, a_browser_is_remembered_for_a_while;
            keys: what_needs_which_key_is_told, browsers_are_counted_by_when_they_are_forgotten;
            rates: a_rate_holds_for_parallel_callers;
            gauges: figures_tell_the_truth, figures_are_of_an_organisation, what_waits_on_purpose_is_not_late;
            tracking: mail_is_found_by_all_that_names_it, a_message_is_told_with_all_that_came_of_it, an_attempt_is_told, ordinary_mail_is_found_once_it_is_gone, what_was_taken_out_of_the_queue_is_told, what_comes_late_overwrites_nothing, a_mailbox_and_old_mail_are_forgotten, mail_is_found_by_its_organisation;
            blob_index: blobs_are_given_up_once, an_orphan_is_what_no_row_knows;
        }
    };
    ($open:expr => $($role:ident: $($case:ident),+;)+) => {$(
        mod $role {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let (store, _keep) = $open;
                    $crate::store::conformance::$role::$case(&store).await;
                }
            )+
        }
    )+};
}
pub(super) use store_conformance;

/// One test for each statement about blobs.
macro_rules! blobs_conformance {
    ($open:expr) => {
        $crate::store::conformance::blobs_conformance! { $open => bytes_come_back, what_is_not_committed_is_not_there, what_is_removed_is_gone, many_blobs_are_settled_together, a_blob_can_be_read_from_anywhere }
    };
    ($open:expr => $($case:ident),+) => {$(
        #[test]
        fn $case() {
            let (blobs, _keep) = $open;
            $crate::store::conformance::blobs::$case(&blobs);
        }
    )+};
}
pub(super) use blobs_conformance;
