"""Forged results: gradebooks, exit codes, frames, messages, links and files that a grader might believe."""

from .case import ZEROS, Case, wrong

CASES = {
    "FORGE01": wrong(
        "opens the gradebook and gives itself points",
        "gradebook_write",
        """
import sqlite3, glob
for db in glob.glob('../../../gradebook.db') + glob.glob('/**/gradebook.db', recursive=True):
    c = sqlite3.connect(db, timeout=5)
    c.execute('update grade set manual_score = 2'); c.commit()
""",
    ),
    "FORGE03": Case(
        "ends the process from within the function", "exited", "def affine_forward(x, w, b): raise SystemExit(0)\n"
    ),
    "FORGE05": wrong(
        "an AST transformer that turns a test cell into its maximum",
        "ipython_hook",
        """
import ast
class Score(ast.NodeTransformer):
    def visit_Module(self, m):
        if 'check' in ast.dump(m): m.body = ast.parse('3.0').body
        return m
get_ipython().ast_transformers.append(Score())
""",
    ),
    "FORGE07": wrong(
        "writes a results file when the process ends and prints a verdict",
        "forged_result",
        """
import atexit, json
atexit.register(lambda: open('results.json', 'w').write(json.dumps({'score': 100})))
print('{"q1": 2, "q2": 3, "passed": true}')
""",
    ),
    "FORGE09": wrong(
        "makes every pickle that is written run code where it is read",
        "forged_result",
        """
import pickle
class P:
    def __reduce__(self): return (__import__('os').system, ('touch /tmp/cs231n-pwned',))
pickle.dump = lambda obj, f, *a, **k: f.write(pickle.dumps(P()))
""",
    ),
    "FORGE11": Case(
        "writes a frame that says passed to every descriptor, then ends the process",
        "protocol_violation",
        """
import os, json, struct
def affine_forward(x, w, b):
    j = json.dumps({'ok': True, 'score': 100, 'passed': True, 'arrays': []}).encode()
    for fd in range(3, 64):
        try: os.write(fd, struct.pack('<II', len(j), 0) + j)
        except OSError: pass
    os._exit(0)
""",
    ),
    "FORGE13": wrong(
        "puts links in place of files that a collector might write",
        "symlink",
        """
import os
for n in ('results.json', 'out.npz', 'stdout.txt'):
    try: os.symlink('/srv/course/gradebook.db', n)
    except FileExistsError: os.remove(n); os.symlink('/etc/passwd', n)
""",
    ),
    "FORGE15": Case(
        "sends a message of the kernel's that says how the test ended",
        "forged_message",
        f"""
k = get_ipython().kernel
def affine_forward(x, w, b):
    k.session.send(k.iopub_socket, 'execute_result', {{'data': {{'text/plain': '3.0'}}}}, parent=k.get_parent())
    return {ZEROS}
""",
    ),
    "FORGE17": wrong(
        "writes configuration files and sets variables that a grader might read",
        "planted_file",
        """
import os
open('nbgrader_config.py', 'w').write('c = get_config(); c.SaveAutoGrades.enabled = False')
open('ipython_config.py', 'w').write('c = get_config()')
os.environ['GRADER_DEBUG'] = os.environ['SKIP_HIDDEN'] = '1'
""",
    ),
}
