"""Whether the example accepts what it must accept, and nothing else."""

import json
import sys

from receiver import event_by_public_key, event_of

cases = json.load(open(sys.argv[1]))
for case in cases:
    body, headers = case["body"].encode(), case["headers"]
    for function, key in [(event_of, case["secret"]), (event_by_public_key, case["public_key"])]:
        try:
            accepted = function(key, body, headers) == json.loads(body)
        except Exception as refused:
            accepted, reason = False, refused
        if accepted != case["is_valid"]:
            sys.exit(f"{function.__name__}, {case['name']}: {'accepted' if accepted else reason}")
print(f"{len(cases)} cases")
