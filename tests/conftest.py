"""The cast: alice owns a project, bob is a member, charlie is a stranger; and the bridge."""

import functools
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management.commands import flush
from django.db import connection, connections, transaction
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import override_settings
from procrastinate.periodic import PeriodicDeferrer
from pytest_django import DjangoDbBlocker

from agentpipe.api import throttling
from conversations.models import Membership, Project
from conversations.services import make_key
from streaming import hub
from tests.clients import Api
from tests.services import name_of_tables
from tests.tables import let_go, make_tables

# The same examples in every run, however long a busy machine takes for them.
hypothesis.settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock():
        make_tables()
    connections["default"].settings_dict["TEST"]["TEMPLATE"] = name_of_tables()


@pytest.fixture(scope="session", autouse=True)
def _drained_pool(django_db_setup: None) -> Iterator[None]:
    """So that the test database can be dropped."""
    yield
    wrapper = connections["default"]
    assert isinstance(wrapper, DatabaseWrapper)
    let_go(wrapper)


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> Iterator[None]:
    """Between tests, tables are emptied by what is in them: little.

    Django truncates them all and makes its permissions anew, which takes longer than most tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush.Command, "handle", lambda self, **options: _empty_tables())
        yield


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Hashing them well takes longer than most tests."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session", autouse=True)
def _nothing_by_the_clock() -> Iterator[None]:
    """Workers in this process are given no work by the minute or the hour that it is."""

    async def nothing(self: PeriodicDeferrer) -> None:
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PeriodicDeferrer, "worker", nothing)
        yield


def _empty_tables() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_emptying())


@functools.cache
def _emptying() -> str:
    lasting = {ContentType._meta.db_table, Permission._meta.db_table}
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    quoted = [connection.ops.quote_name(name) for name in names if name not in lasting]
    return "".join(f"DELETE FROM {name};" for name in quoted)


@pytest.fixture(autouse=True)
def _fresh_rates() -> Iterator[None]:
    yield
    throttling._own_limiter.cache_clear()
    throttling._shared_limiter.cache_clear()


@pytest.fixture
def project(transactional_db: None) -> Project:
    return Project.objects.create(slug="tower")


@pytest.fixture
def alice(project: Project) -> User:
    alice = User.objects.create_user("alice")
    Membership.objects.create(project=project, user=alice, role=Membership.Role.OWNER)
    return alice


@pytest.fixture
def bob(project: Project) -> User:
    bob = User.objects.create_user("bob")
    Membership.objects.create(project=project, user=bob)
    return bob


@pytest.fixture
def charlie(transactional_db: None) -> User:
    return User.objects.create_user("charlie")


@pytest.fixture
def key(project: Project) -> str:
    """A key to the project, with every scope and no limits."""
    unlimited = dict.fromkeys(settings.RATES, "0")
    return make_key(project, "tests", rates=unlimited)[1]


@pytest.fixture
def way() -> str:
    """How single events come in; what is said of ingest is tested with "long" as well."""
    return "short"


@pytest.fixture
async def api(key: str, way: str) -> AsyncIterator[Api]:
    """The whole application, called in this process with the key of the project."""
    # What names an origin, as browsers do, is left to Django.
    headers = {"Origin": "http://localhost:8000"} if way == "long" else {}
    async with Api(key, headers=headers) as api:
        yield api
    await hub.close()
    await database_sync_to_async(connections.close_all)()
