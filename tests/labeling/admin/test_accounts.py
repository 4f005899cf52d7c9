"""The pages of everybody with an account: logging in, being locked out, a forgotten password, one's own keys."""

from __future__ import annotations

import datetime as dt
import re
import sys
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse

from labeling import actors
from labeling import events as e
from labeling.commands import people
from labeling.commands.logins import LOCKED_S, MOST_FAILURES
from labeling.commands.security import NOBODY, hidden
from labeling.log import store
from labeling.log.event import INSTALLATION, SECURITY
from labeling.models import ApiKey, LoginAttempts, Person, SecurityTally
from tests.labeling.admin.markup import refused

PASSWORD = "correct horse battery staple"
SINCE = 0
LOGIN, ACCOUNT, FORGOTTEN = "/accounts/login/", "/accounts/", "/accounts/forgotten/"


@pytest.fixture
def ana(db: None) -> Person:
    return people.add_person(intent=people.operator("test"), username="ana", email="Ana@example.org", password=PASSWORD)


@pytest.fixture
def root(db: None) -> Person:
    return people.add_person(intent=people.operator("test"), username="root", password=PASSWORD, superuser=True)


def log_in(password: str = PASSWORD, username: str = "ana", *, at: str = LOGIN, address: str = "192.0.2.1") -> Any:
    return Client(REMOTE_ADDR=address).post(at, {"username": username, "password": password})


def text(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.fixture(autouse=True)
def since(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests may have left something in the log, for good."""
    monkeypatch.setattr(sys.modules[__name__], "SINCE", store.head(SECURITY))
    SecurityTally.objects.all().delete()
    LoginAttempts.objects.all().delete()


def events() -> list[Any]:
    return store.read(SECURITY, after=SINCE)


def told() -> list[Any]:
    return [event.fact for event in events()]


def minutes_pass(minutes: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE labeling_loginattempts SET last_at = last_at - make_interval(mins => %s)", [minutes])


# --- logging in ----------------------------------------------------------------------------------------------------


def test_who_may_not_open_the_admin_logs_in_and_out(ana: Person) -> None:
    client = Client()
    assert client.get(ACCOUNT).headers["Location"] == f"{LOGIN}?next={ACCOUNT}"
    answer = client.post(LOGIN, {"username": "ana", "password": PASSWORD})
    assert answer.headers["Location"] == ACCOUNT
    page = client.get(ACCOUNT)
    assert page.status_code == 200 and "The admin" not in text(page)
    assert client.get("/user/").json()["username"] == "ana"
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/").headers["Location"] == LOGIN
    assert client.get("/user/").status_code == 401
    assert told() == [e.LoginSucceeded(address=hidden("127.0.0.1", person=ana.id)), e.LoggedOut()]
    assert {event.intent.author for event in events()} == {ana.id}


def test_who_may_open_the_admin_finds_it_there(root: Person) -> None:
    client = Client()
    client.post(LOGIN, {"username": "root", "password": PASSWORD})
    assert reverse("admin:index") in text(client.get(ACCOUNT))


@pytest.mark.parametrize("next_page", ["https://evil.example.org/", "//evil.example.org", "javascript:alert(1)"])
def test_a_login_leads_to_no_other_host(ana: Person, next_page: str) -> None:
    answer = Client().post(LOGIN, {"username": "ana", "password": PASSWORD, "next": next_page})
    assert answer.headers["Location"] == ACCOUNT


def test_a_login_needs_its_token(ana: Person) -> None:
    answer = Client(enforce_csrf_checks=True).post(LOGIN, {"username": "ana", "password": PASSWORD})
    assert answer.status_code == 403


@pytest.mark.parametrize("username, password", [("ana", "wrong"), ("nobody-there", "wrong"), ("ana", PASSWORD.upper())])
def test_a_wrong_login_says_the_same_whoever_it_was(ana: Person, username: str, password: str) -> None:
    answer = log_in(password, username)
    assert answer.status_code == 200 and "enter a correct username and password" in text(answer)
    (event,) = events()
    assert event.fact == e.LoginFailed(username=hidden(username), address=hidden("192.0.2.1"))
    assert event.intent.author == NOBODY


def test_who_is_switched_off_does_not_come_in(ana: Person) -> None:
    people.change_person(intent=people.operator("test"), person=ana, fields={"is_active": False})
    assert log_in().status_code == 200


def test_the_pages_hold_nothing_that_the_content_policy_refuses(ana: Person) -> None:
    client = Client()
    client.force_login(ana)
    pages = [Client().get(LOGIN), Client().get(FORGOTTEN), client.get(ACCOUNT), client.get("/accounts/password/")]
    for page in pages:
        assert page.status_code == 200
        assert refused(text(page)) == []
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


# --- locked out ----------------------------------------------------------------------------------------------------


def fail(times: int = MOST_FAILURES, **options: Any) -> Any:
    for _ in range(times):
        answer = log_in("wrong", **options)
    return answer


@pytest.mark.parametrize("at", [LOGIN, "/admin/login/"])
def test_after_five_wrong_ones_the_right_password_does_not_help(root: Person, at: str) -> None:
    assert "Too many failed logins" not in text(fail(MOST_FAILURES - 1, username="root", at=at))
    assert "Too many failed logins. Try again in 15 minutes." in text(fail(1, username="root", at=at))
    for door in (LOGIN, "/admin/login/"):
        answer = log_in(username="root", at=door)
        assert answer.status_code == 200 and "Too many failed logins" in text(answer)


def test_the_lock_opens_after_a_quarter_of_an_hour(ana: Person) -> None:
    fail()
    minutes_pass(LOCKED_S // 60 - 1)
    assert log_in().status_code == 200
    minutes_pass(2)
    assert log_in().status_code == 302


def test_trying_while_locked_does_not_lock_for_longer(ana: Person) -> None:
    fail()
    for _ in range(3):
        minutes_pass(4)
        fail(2)
    minutes_pass(4)
    assert log_in().status_code == 302


def test_others_and_other_places_are_not_locked(ana: Person, root: Person) -> None:
    fail()
    assert log_in(username="root").status_code == 302
    assert log_in(address="192.0.2.2").status_code == 302
    assert log_in().status_code == 200


def test_a_good_login_begins_the_count_anew(ana: Person) -> None:
    fail(MOST_FAILURES - 1)
    assert log_in().status_code == 302
    fail(MOST_FAILURES - 1)
    assert log_in().status_code == 302
    assert not LoginAttempts.objects.exists()


def test_failures_long_ago_do_not_count(ana: Person) -> None:
    fail(MOST_FAILURES - 1)
    minutes_pass(LOCKED_S // 60 + 1)
    fail(MOST_FAILURES - 1)
    assert log_in().status_code == 302


def test_a_name_that_nobody_has_is_locked_like_any_other(db: None) -> None:
    assert "Too many failed logins" in text(fail(username="nobody-there"))


def test_a_locked_attempt_costs_no_password_hash(ana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    fail()
    monkeypatch.setattr(Person, "check_password", lambda *_: pytest.fail("the password was looked at"))
    assert log_in().status_code == 200


def test_neither_names_nor_addresses_are_kept_and_all_is_forgotten(ana: Person) -> None:
    fail()
    assert "ana" not in str(list(LoginAttempts.objects.values())) and "192" not in str(LoginAttempts.objects.get())
    actors.sweep()
    assert LoginAttempts.objects.exists()
    minutes_pass(LOCKED_S // 60 + 1)
    actors.sweep()
    assert not LoginAttempts.objects.exists()


def test_the_security_log_tells_that_somebody_is_locked_out(ana: Person) -> None:
    fail(MOST_FAILURES + 2)
    assert [fact.locked for fact in told()] == [False, True]


# --- passwords -----------------------------------------------------------------------------------------------------


def test_people_change_their_own_password(ana: Person) -> None:
    client = Client()
    client.force_login(ana)
    said = {"old_password": PASSWORD, "new_password1": "another good one", "new_password2": "another good one"}
    assert client.post("/accounts/password/", said | {"old_password": "wrong"}).status_code == 200
    assert client.post("/accounts/password/", said).headers["Location"] == ACCOUNT
    assert client.get(ACCOUNT).status_code == 200, "who changed it stays logged in"
    assert log_in("another good one").status_code == 302
    event = list(store.read_stream(INSTALLATION, f"person/{ana.id}"))[-1]
    assert (event.fact, event.intent.author) == (e.PersonChanged(password=True), ana.id)


@pytest.fixture
def sends_email(settings: Any) -> None:
    settings.SENDS_EMAIL = True
    settings.PUBLIC_URL = "https://labels.example.org"


def ask(email: str) -> Any:
    answer = Client().post(FORGOTTEN, {"email": email})
    assert answer.headers["Location"] == "/accounts/forgotten/sent/"
    return answer


def link() -> str:
    found = re.search(r"https://labels\.example\.org(/accounts/reset/\S+)", str(mail.outbox[-1].body))
    assert found is not None, mail.outbox[-1].body
    return found[1]


@pytest.mark.usefixtures("sends_email")
def test_a_forgotten_password_is_set_anew_by_a_link_that_works_once(ana: Person) -> None:
    old = Client()
    old.force_login(ana)
    ask("ana@example.org")
    (sent,) = mail.outbox
    assert sent.to == ["Ana@example.org"] and sent.subject == "A new password for Palimpsest"
    client = Client()
    form = client.get(link(), follow=True)
    assert form.status_code == 200 and link() not in form.redirect_chain[-1][0], "the secret leaves the address bar"
    said = {"new_password1": "another good one", "new_password2": "another good one"}
    assert client.post(form.redirect_chain[-1][0], said).headers["Location"] == "/accounts/reset/done/"
    assert log_in("another good one").status_code == 302
    assert old.get(ACCOUNT).status_code == 302, "who was logged in with the old one is not any more"
    assert "too old" in text(Client().get(link(), follow=True))
    event = list(store.read_stream(INSTALLATION, f"person/{ana.id}"))[-1]
    assert (event.fact, event.intent.tool) == (e.PersonChanged(password=True), "password reset")


@pytest.mark.usefixtures("sends_email")
def test_who_never_had_a_password_gets_one_the_same_way(db: None) -> None:
    people.add_person(intent=people.operator("test"), username="ben", email="ben@example.org")
    ask("ben@example.org")
    assert len(mail.outbox) == 1


@pytest.mark.usefixtures("sends_email")
@pytest.mark.parametrize("email", ["nobody@example.org", "firm@example.org", "off@example.org", "ana@examplé.org"])
def test_others_get_no_link_and_the_answer_is_the_same(ana: Person, email: str) -> None:
    by = people.operator("test")
    people.add_person(intent=by, username="firm", email="firm@example.org", kind="organization")
    off = people.add_person(intent=by, username="off", email="off@example.org", password=PASSWORD)
    people.change_person(intent=by, person=off, fields={"is_active": False})
    ask(email)
    assert mail.outbox == []


@pytest.mark.usefixtures("sends_email")
def test_a_mailbox_is_not_flooded(ana: Person) -> None:
    for _ in range(MOST_FAILURES + 3):
        ask("ana@example.org")
    assert len(mail.outbox) == MOST_FAILURES


@pytest.mark.usefixtures("sends_email")
def test_a_bad_link_says_so(ana: Person) -> None:
    assert "too old" in text(Client().get("/accounts/reset/MQ/abc-def/", follow=True))


def test_where_no_email_is_set_up_the_page_says_what_to_do(ana: Person) -> None:
    for answer in (Client().get(FORGOTTEN), Client().post(FORGOTTEN, {"email": "ana@example.org"})):
        assert "sends no e-mail" in text(answer) and "changepassword" in text(answer)
    assert mail.outbox == []


def test_the_admins_login_page_leads_to_it(db: None) -> None:
    assert FORGOTTEN in text(Client().get("/admin/login/"))


# --- keys ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def client_of_ana(ana: Person) -> Client:
    client = Client()
    client.force_login(ana)
    return client


def test_a_key_is_made_shown_once_and_revoked(ana: Person, client_of_ana: Client) -> None:
    page = client_of_ana.post(ACCOUNT, {"name": "laptop", "scope": "label", "origin": "model"})
    secret = re.search(r"pk_[\w-]+", text(page))
    assert secret is not None and "no-store" in page.headers["Cache-Control"]
    key = ApiKey.objects.get(person=ana)
    assert (key.name, key.scope, key.origin, bytes(key.hash)) == (
        "laptop", "label", "model", people.hash_of(secret[0]),
    )  # fmt: skip
    shown = text(client_of_ana.get(ACCOUNT))
    assert "laptop" in shown and secret[0] not in shown
    assert client_of_ana.get(f"/accounts/keys/{key.id}/revoke/").status_code == 405
    assert client_of_ana.post(f"/accounts/keys/{key.id}/revoke/").headers["Location"] == ACCOUNT
    assert "laptop" not in text(client_of_ana.get(ACCOUNT))
    assert ApiKey.objects.get().revoked_at is not None


def test_a_key_that_does_not_fit_is_not_made(client_of_ana: Client) -> None:
    answer = client_of_ana.post(ACCOUNT, {"name": "x", "scope": "all", "origin": "person"})
    assert answer.status_code == 200 and "not one of the available choices" in text(answer)
    assert not ApiKey.objects.exists()


def test_too_many_keys_are_refused_in_words(client_of_ana: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "MOST_KEYS", 0)
    answer = client_of_ana.post(ACCOUNT, {"name": "x", "scope": "read", "origin": "person"})
    assert "revoke those that are not needed" in text(answer)


def test_nobody_revokes_somebody_elses_key(client_of_ana: Client, root: Person) -> None:
    key, _ = people.create_key(intent=people.operator("test"), person=root)
    assert client_of_ana.post(f"/accounts/keys/{key.id}/revoke/").status_code == 404
    assert ApiKey.objects.get().revoked_at is None


def test_the_last_use_is_shown_to_the_hour(ana: Person, client_of_ana: Client) -> None:
    key, _ = people.create_key(intent=people.operator("test"), person=ana)
    assert "never" in text(client_of_ana.get(ACCOUNT))
    ApiKey.objects.filter(id=key.id).update(last_used_at=dt.datetime(2026, 3, 1, 12, 34, tzinfo=dt.UTC))
    assert "2026-03-01 12:00" in text(client_of_ana.get(ACCOUNT))


# --- denials in the admin ------------------------------------------------------------------------------------------


def test_a_page_that_may_not_be_opened_is_told(root: Person) -> None:
    eva = people.add_person(intent=people.operator("test"), username="eva", staff=True)
    client = Client()
    client.force_login(eva)
    known = store.head(SECURITY)
    assert client.get(reverse("admin:labeling_person_change", args=[root.id])).status_code == 403
    (event,) = store.read(SECURITY, after=known)
    assert event.fact == e.CommandDenied(
        action="page",
        path="/admin/labeling/person/{object_id}/change/",
        address=hidden("127.0.0.1", person=eva.id),
    )
    assert (event.intent.author, event.intent.tool) == (eva.id, "admin")
