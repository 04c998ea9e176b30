#!/usr/bin/python3
"""Draws the figures of a run and writes its report: report.py RESULTS_DIR.

Reads RESULTS_DIR/results.json; writes RESULTS_DIR/plots/*.png, *.svg and RESULTS_DIR/report.html.
"""

import argparse
import os
import sys

import results as results_module


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results_dir", help="directory that holds results.json")
    directory = parser.parse_args(arguments).results_dir
    try:
        results = results_module.load(os.path.join(directory, "results.json"))
        written = write(results, directory)
    except (results_module.ResultsError, ImportError) as error:
        print(f"report.py: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"report.py: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    print(written)
    return 0


def write(results, directory):
    """Writes the figures and the report; returns the report's path."""
    # matplotlib comes in here, so that bad input is told first and fast.
    import page
    drawn = {figure[0]: figure for figure in draw(results, os.path.join(directory, "plots"))}
    disks = drawn.pop("simulated_depth")
    caches = [drawn.pop(name) for name in ("caches", "scan", "hit_ratio")]
    path = os.path.join(directory, "report.html")
    with open(path, "w", encoding="utf-8") as file:
        file.write(page.render(results, list(drawn.values()), disks, caches))
    return path


def draw(results, directory):
    """[(name, title, SVG bytes or None, sentences)]. Depth on four disks is of the simulated
    machine, whatever was measured; those of the caches are only of a run that has any."""
    import figure_batch
    import figure_caches
    import figure_depth
    import figure_hit_ratio
    import figure_latency
    import figure_overview
    import figure_scan
    import figure_simulated_depth
    import findings
    import findings_caches
    import style
    os.makedirs(directory, exist_ok=True)
    drawn = []
    for module, say in ((figure_overview, findings.overview), (figure_depth, findings.depth),
                        (figure_latency, findings.latency), (figure_batch, findings.batch),
                        (figure_simulated_depth, findings.simulated_depth),
                        (figure_caches, findings_caches.comparison),
                        (figure_scan, findings_caches.scan),
                        (figure_hit_ratio, findings_caches.hit_ratio)):
        figure = module.draw(results)
        svg = style.save(figure, directory, module.NAME) if figure else None
        if figure is None:
            _forget(directory, module.NAME)
        drawn.append((module.NAME, module.TITLE, svg, say(results)))
    return drawn


def _forget(directory, name):
    """A figure left by an earlier run would be taken for one of this."""
    for suffix in (".png", ".svg"):
        path = os.path.join(directory, name + suffix)
        if os.path.exists(path):
            os.remove(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
