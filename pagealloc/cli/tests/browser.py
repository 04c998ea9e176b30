"""A headless Chromium, spoken to over a pipe: JSON of the DevTools protocol, a NUL behind each.

Only the standard library. A browser is asked for nothing that takes it a while and then left alone:
each call waits for its answer, and wait_for() for what it does later.
"""

import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile

HANG_S = 60  # no result depends on it: it ends a wait for what never comes
FLAGS = ("--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check",
         "--disable-extensions", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio",
         "--force-device-scale-factor=1", "--remote-debugging-pipe")
KEYS = {"Enter": 13, "Escape": 27, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36,
        "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}


def installed():
    """Its path; None: there is no Chromium, by any of its names."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                None)


def pipe_above_4():
    low = os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 5) for end in low]
    for end in low:
        os.close(end)
    return ends


class BrowserError(Exception):
    pass


class Browser:
    """A browser with one page. Leaving the `with` ends it, and all that it has started."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="pagealloc-browser-",
                                                     ignore_cleanup_errors=True)
        flags = [*FLAGS, f"--user-data-dir={self.directory.name}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # its sandbox refuses root
        from_us, to_it = pipe_above_4()
        from_it, to_us = pipe_above_4()
        self.log = open(pathlib.Path(self.directory.name) / "log", "wb")
        # It reads descriptor 3 and writes 4, which the shell makes of whatever they are here.
        redirect = f'exec "$0" "$@" 3<&{from_us} 4>&{to_us} {from_us}<&- {to_us}>&-'
        self.process = subprocess.Popen(["/bin/bash", "-c", redirect, installed(), *flags],
                                        pass_fds=(from_us, to_us), start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        os.close(from_us)
        os.close(to_us)
        self.to_it, self.from_it = to_it, from_it
        self.unread, self.last, self.session, self.events = b"", 0, None, []
        try:
            self.attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.to_it)
        os.close(self.from_it)
        self.log.close()
        self.directory.cleanup()

    def attach(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def read_message(self):
        while b"\0" not in self.unread:
            if not select.select([self.from_it], [], [], HANG_S)[0]:
                raise BrowserError(f"nothing from the browser in {HANG_S} s; {self.last_words()}")
            more = os.read(self.from_it, 1 << 20)
            if not more:
                raise BrowserError(f"the browser ended; {self.last_words()}")
            self.unread += more
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def last_words(self):
        log = pathlib.Path(self.log.name).read_text(errors="replace").strip()
        return f"its last lines: {log[-1500:]}"

    def call(self, method, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_it, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read_message()
            if answer.get("id") != self.last:
                self.events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error']['message']}")
            else:
                return answer["result"]

    def wait_event(self, method):
        """The first of these that has not been waited for since open()."""
        at = 0
        while True:
            for at in range(at, len(self.events)):
                if self.events[at].get("method") == method:
                    return self.events.pop(at)["params"]
            at = len(self.events)
            self.events.append(self.read_message())

    def happened(self, *methods):
        return [event["params"] for event in self.events if event.get("method") in methods]

    def open(self, url):
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_event("Page.loadEventFired")

    def js(self, expression):
        """What the expression makes; of a promise, what it comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def wait_for(self, condition):
        """Until the browser, which looks again with each frame, finds that it holds."""
        return self.js(f"""new Promise((resolve, reject) => {{
          const began = performance.now();
          const look = () => {{
            const found = {condition};
            if (found) resolve(found);
            else if (performance.now() - began > {HANG_S * 1000 // 2})
              reject(new Error({json.dumps("never came true: " + condition)}));
            else setTimeout(look, 5);
          }};
          look();
        }})""")

    def settle(self):
        """Until what was begun is drawn."""
        self.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def resize(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=mobile)
        self.settle()

    def scheme(self, name):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": name}])
        self.settle()

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x, y):
        self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)
        self.settle()

    def click_on(self, selector, at=(0.5, 0.5)):
        """At a place of its box: both are shares of it."""
        box = self.box(selector)
        self.click(box["x"] + box["width"] * at[0], box["y"] + box["height"] * at[1])

    def box(self, selector):
        return self.js(f"""(() => {{
          const element = document.querySelector({json.dumps(selector)});
          element.scrollIntoView({{ block: "nearest" }});
          const box = element.getBoundingClientRect();
          return {{ x: box.x, y: box.y, width: box.width, height: box.height }};
        }})()""")

    def key(self, key, times=1):
        code = KEYS.get(key, ord(key[0].upper()))
        what = {"key": key, "windowsVirtualKeyCode": code}
        typed = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown", text=typed, **what)
            self.call("Input.dispatchKeyEvent", type="keyUp", **what)
        self.settle()

    def screenshot(self, path):
        picture = self.call("Page.captureScreenshot")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(picture))
