"""Which test shows each requirement of the audit: the matrix that an auditor asks for. A test that is gone fails here.

The words are those of our list of requirements (AU-01 to AU-28), cut short. `OPEN` names those that nothing shows yet.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]

AUDIT, BUNDLE = "labeling/audit/test_reports.py", "releases/audit/test_bundle.py"
VERIFY, SECURITY = "labeling/log/test_verify.py", "labeling/commands/test_security.py"
SHOWN: dict[str, tuple[str, dict[str, list[str]]]] = {
    "AU-01": (
        "Every change is recorded, time-stamped and attributed; no write path bypasses it.",
        {
            "config/test_layers.py": ["test_apps_and_pure_files_import_only_what_lies_below_them"],
            "labeling/test_properties.py": ["test_every_error_leaves_the_log_and_the_rows_unchanged"],
            "labeling/admin/test_site.py": ["test_nobody_writes_djangos_own_log"],
        },
    ),
    "AU-02": (
        "Changes do not obscure earlier values.",
        {
            AUDIT: ["test_the_history_of_a_record_has_each_value_before_and_after"],
            "labeling/audit/test_timeline.py": [
                "test_each_event_shows_the_object_before_and_after_and_the_way_back",
                "test_a_bitmap_that_was_painted_is_shown_before_and_after",
            ],
            "labeling/test_properties.py": ["test_every_state_that_was_live_can_be_had_again"],
        },
    ),
    "AU-03": (
        "Append-only in the database; what its owner does, the chain shows.",
        {
            "labeling/log/test_store.py": [
                "test_events_cannot_be_changed_by_their_owner_in_any_mode",
                "test_an_upsert_cannot_change_an_event_either",
            ],
            VERIFY: ["test_a_changed_field_is_found_at_its_event"],
        },
    ),
    "AU-04": (
        "A hash chain and a Merkle tree over it; signed checkpoints outside, with proofs of inclusion and consistency;"
        " flip, drop, reorder, insert, truncate are found.",
        {
            "labeling/rules/test_tree.py": [
                "test_the_roots_are_those_of_the_known_vectors",
                "test_every_leaf_of_every_tree_is_proved_and_nothing_else",
                "test_every_beginning_of_every_tree_is_proved_and_nothing_else",
            ],
            "releases/audit/test_proofs.py": [
                "test_each_checkpoint_is_proved_to_begin_with_each_one_before",
                "test_a_bent_proof_of_an_event_proves_nothing",
                "test_a_tree_that_is_not_over_the_log_is_found_by_verifying",
            ],
            BUNDLE: [
                "test_events_that_were_tampered_with_are_found_at_the_first_bad_one",
                "test_who_writes_all_hashes_anew_is_found_by_a_checkpoint",
                "test_any_flipped_byte_of_any_file_is_found",
            ],
            "labeling/commands/test_checkpoints.py": [
                "test_a_tail_that_was_cut_off_without_a_trace_in_the_log_is_found",
                "test_checkpoints_follow_from_each_other",
            ],
        },
    ),
    "AU-05": (
        "A small verifier checks an exported log and a release without the server.",
        {
            BUNDLE: ["test_it_runs_alone_with_nothing_but_the_standard_library"],
            "releases/test_check_release.py": ["test_a_signed_release_is_sound_for_who_trusts_its_key"],
        },
    ),
    "AU-06": (
        "The server's time is authoritative, and the client's is kept apart; a clock set back reorders nothing, and is"
        " an event.",
        {
            "labeling/commands/test_clocks.py": [
                "test_that_the_clock_was_set_back_is_one_event_of_the_installations_log",
                "test_a_clock_that_goes_back_all_the_time_is_no_storm",
            ],
            "labeling/log/test_store.py": [
                "test_a_clock_that_was_set_back_does_not_reorder_times",
                "test_a_clients_time_is_kept_to_the_microsecond",
            ],
            AUDIT: ["test_integrity_of_a_sound_log_is_sound"],
        },
    ),
    "AU-07": (
        "A reason is asked for the configured classes of changes.",
        {"labeling/api/test_reasons.py": ["test_what_asks_for_a_reason_is_refused_without_and_done_with_one"]},
    ),
    "AU-08": (
        "Signatures on review and release with name, time and meaning, linked to the exact content.",
        {
            "labeling/api/test_signatures.py": [
                "test_a_signature_has_name_time_and_meaning_and_is_read_in_every_history",
                "test_an_edit_supersedes_it_and_a_status_does_not",
                "test_a_signature_cannot_be_put_under_another_label",
            ],
            "releases/test_signatures.py": ["test_a_signature_is_under_the_identity_of_the_release"],
        },
    ),
    "AU-09": (
        "Ids of people are never used again; services are told apart.",
        {
            "labeling/commands/test_erasure.py": ["test_the_username_is_free_and_its_next_owner_is_somebody_else"],
            "labeling/api/test_keys.py": ["test_no_model_makes_itself_a_person"],
        },
    ),
    "AU-10": (
        "Authority is checked on the server, and so is the order of statuses.",
        {
            "labeling/api/test_permissions.py": ["test_an_operation_answers_each_caller_as_the_document_says"],
            "labeling/rules/test_access.py": ["test_every_verb_of_an_edit_has_its_action"],
        },
    ),
    "AU-11": (
        "Copies for people and for machines.",
        {
            AUDIT: ["test_forms_tell_the_same_rows_and_digest"],
            BUNDLE: ["test_reports_are_in_it_as_tables_and_as_pages"],
        },
    ),
    "AU-12": (
        "Retention and legal hold are themselves events; a purge leaves count and hash.",
        {
            "labeling/commands/test_retention.py": [
                "test_policies_and_holds_are_events_with_a_reason",
                "test_what_must_be_kept_cannot_be_set_to_less",
                "test_who_is_held_is_not_erased",
            ]
        },
    ),
    "AU-13": (
        "Reading the log is permissioned, and told.",
        {"labeling/api/test_audit.py": ["test_reading_a_report_is_told_in_the_security_log"]},
    ),
    "AU-14": (
        "What is done to the installation as a whole is recorded.",
        {
            "config/test_backup.py": ["test_that_it_was_restored_is_an_event_behind_all_that_came_back"],
            AUDIT: ["test_changes_tell_the_version_that_wrote_the_log"],
        },
    ),
    "AU-15": (
        "Who, what, when, with which program and from where.",
        {
            SECURITY: ["test_the_use_of_a_key_is_told_with_where_and_with_what"],
            AUDIT: ["test_the_event_explorer_tells_every_event_with_both_clocks_and_the_reason"],
        },
    ),
    "AU-16": (
        "Requirements lead to tests; each event says which version recorded it.",
        {
            "labeling/audit/test_requirements.py": ["test_every_test_that_is_named_is_there"],
            AUDIT: ["test_changes_tell_the_version_that_wrote_the_log"],
        },
    ),
    "AU-17": (
        "How the data was made, and its bias and gaps.",
        {
            AUDIT: [
                "test_balance_crosses_classes_with_metadata_and_people",
                "test_the_process_says_which_rules_were_in_force_when",
            ],
            "releases/audit/test_datasheet.py": [
                "test_what_nobody_said_is_missing_and_what_was_said_is_told_with_who_and_when",
                "test_the_log_says_what_is_in_it_how_it_was_prepared_and_what_is_missing",
            ],
        },
    ),
    "AU-18": (
        "Provenance and labelling procedures of a release.",
        {
            "releases/audit/test_datasheet.py": [
                "test_of_a_release_it_is_what_was_said_then_and_the_dossier_has_it_too"
            ],
            "releases/audit/test_reports.py": [
                "test_the_dossier_tells_what_was_frozen_and_who_had_approved_it",
                "test_the_lineage_leads_from_sources_over_models_to_who_took_it_away",
            ],
        },
    ),
    "AU-19": (
        "Each event refers to the guideline that its author saw.",
        {
            "labeling/api/test_guidelines.py": ["test_objects_are_found_by_the_version_that_their_author_saw"],
            AUDIT: ["test_a_guideline_is_a_version_of_the_rules"],
        },
    ),
    "AU-21": (
        "A restored backup has the same chains and the same releases.",
        {"config/test_backup.py": ["test_all_that_was_there_is_there_again"]},
    ),
    "AU-22": (
        "A person's data is erased without breaking a chain; a file's bytes too.",
        {
            "labeling/commands/test_erasure.py": [
                "test_nothing_that_says_who_they_were_is_left",
                "test_what_they_did_stays_and_every_log_holds",
            ],
            AUDIT: ["test_privacy_tells_an_erasure_and_what_it_took"],
            BUNDLE: ["test_what_was_erased_says_erased"],
        },
    ),
    "AU-24": (
        "A sealed bundle that verifies without the server.",
        {BUNDLE: ["test_a_bundle_is_sound_and_says_what_holds", "test_the_same_offsets_give_the_same_bytes"]},
    ),
    "AU-25": (
        "What was denied is recorded, and not in the logs of datasets.",
        {
            SECURITY: ["test_a_denied_command_is_told_with_what_was_asked_for"],
            "labeling/api/test_audit.py": ["test_what_somebody_denied_tried_is_in_the_report"],
        },
    ),
    "AU-26": (
        "Whatever was imported leads to its file.",
        {"releases/imports/test_jobs.py": ["test_a_file_brings_samples_and_labels_with_their_origin"]},
    ),
    "AU-27": (
        "Objects name the model and the run that made them, and whether a person verified them.",
        {AUDIT: ["test_involvement_counts_reconcile_with_what_is_there"]},
    ),
    "AU-28": (
        "A report is its definition and offsets: the same bytes, with the hash printed.",
        {
            AUDIT: ["test_asked_again_with_its_offsets_it_has_the_same_bytes_whatever_happened_since"],
            "labeling/api/test_audit.py": ["test_the_integrity_of_all_logs_is_told_by_the_offsets_that_were_read"],
        },
    ),
}
#: Those that our list marks as things that could be done.
OPEN = {"AU-20": "A lineage in a standard of others.", "AU-23": "Alerts."}


def test_each_requirement_is_shown_or_said_to_be_open():
    assert sorted({*SHOWN, *OPEN}) == [f"AU-{number:02}" for number in range(1, 29)]
    assert not SHOWN.keys() & OPEN.keys()


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((TESTS / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("requirement", SHOWN)
def test_every_test_that_is_named_is_there(requirement):
    _, named = SHOWN[requirement]
    assert named and all(named.values())
    for path, names in named.items():
        assert set(names) - names_in(path) == set(), path
