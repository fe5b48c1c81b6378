"""The ASGI application: pages over HTTP, one socket per tab at /ws/."""

import os
import sys
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
# A thread that saves a message needs the interpreter again after each query, and waits this long for it while answers
# are streaming. Python's 5 ms would add up to tenths of a second.
sys.setswitchinterval(0.0005)
# WhiteNoise serves the site's small files from a synchronous iterator, which is fine.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
http = get_asgi_application()  # before anything that touches models

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import OriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path  # noqa: E402

import chatsite.urls  # noqa: E402, F401  (every page, so that the first who asks does not wait for its code)
from chatsite.chat.consumers import ChatConsumer  # noqa: E402
from chatsite.operations.bodies import BoundedBodies  # noqa: E402
from chatsite.operations.endpoints import Endpoints  # noqa: E402
from chatsite.operations.lifespan import lifespan  # noqa: E402

sockets = URLRouter([path("ws/", ChatConsumer.as_asgi())])

# Exact origins: the validator that goes by host names accepts any scheme and port.
application = ProtocolTypeRouter(
    {
        "lifespan": lifespan,
        "http": Endpoints(BoundedBodies(http)),
        "websocket": OriginValidator(sockets, settings.ALLOWED_ORIGINS),
    }
)
