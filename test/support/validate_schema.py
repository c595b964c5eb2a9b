"""usage: validate_schema.py SCHEMA FILE…   Says for each YAML file whether the JSON Schema takes it: `valid FILE` or `INVALID FILE: why`. Run with the
packages of requirements_check.txt."""
import json, sys

import jsonschema, yaml

schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for path in sys.argv[2:]:
    errors = sorted(validator.iter_errors(yaml.safe_load(open(path))), key=str)
    print("INVALID %s: %s" % (path, errors[0].message) if errors else "valid %s" % path)
