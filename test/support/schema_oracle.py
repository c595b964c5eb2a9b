"""The second opinions on what `weir schema` prints, by the packages of requirements_schema.txt.
usage: schema_oracle.py avro FILE SEED    each schema of the file by avro and by fastavro: random records written by either are read by both, defaults
                                          are filled in; prints name, CRC-64-AVRO and canonical form, as fastavro has them (avro's keeps what is to
                                          be stripped)
       schema_oracle.py compare OLD NEW SEED  for each schema of both files: NAME and what it is, by avro's checker of pairs, and by fastavro, which writes
                                          random records by one and reads them by the other: BACKWARD, FORWARD, FULL or NONE
       schema_oracle.py json FILE EVENTS  a line for each event (NDJSON) that says what a validator finds wrong with it; empty: nothing"""
import datetime, io, json, random, sys, uuid

import avro.compatibility, avro.io, avro.schema, fastavro, fastavro.schema, jsonschema

UTC = datetime.timezone.utc


def value_of(kind, chance):
    if isinstance(kind, list):
        return value_of(chance.choice(kind), chance)
    if isinstance(kind, dict):
        if kind.get("logicalType") == "timestamp-millis":
            return datetime.datetime.fromtimestamp(chance.randrange(0, 4 * 10**9), UTC).replace(microsecond=chance.randrange(1000) * 1000)
        if kind.get("logicalType") == "uuid":
            return str(uuid.UUID(int=chance.getrandbits(128)))
        return value_of(kind["type"], chance)
    return {"null": lambda: None, "string": lambda: "".join(chance.choice("aé水🚴 \"\\") for _ in range(chance.randrange(9))),
            "long": lambda: chance.choice([0, -1, 2**63 - 1, -2**63, chance.randrange(10**9)]), "double": lambda: chance.uniform(-1e9, 1e9),
            "boolean": lambda: chance.random() < 0.5}[kind]()


def write_avro(schema, record):
    out = io.BytesIO()
    avro.io.DatumWriter(schema).write(record, avro.io.BinaryEncoder(out))
    return out.getvalue()


def read_avro(schema, data):
    return plain(avro.io.DatumReader(schema, schema).read(avro.io.BinaryDecoder(io.BytesIO(data))))


def read_fast(data, writer, reader=None):
    return plain(fastavro.schemaless_reader(io.BytesIO(data), writer, reader))


def plain(record):
    """The two give a UUID as one, or as its text."""
    return {name: str(value) if isinstance(value, uuid.UUID) else value for name, value in record.items()}


def write_fast(schema, record):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def check_round_trips(schema, chance):
    theirs, fast = avro.schema.parse(json.dumps(schema)), fastavro.parse_schema(schema)
    for _ in range(50):
        record = {f["name"]: value_of(f["type"], chance) for f in schema["fields"]}
        for written in (write_avro(theirs, record), write_fast(fast, record)):
            assert read_avro(theirs, written) == record, (schema["name"], record)
            assert read_fast(written, fast) == record, (schema["name"], record)


def check_defaults(schema, chance):
    """A record of the fields without a default, read by the whole schema: the rest has its default."""
    fields = [f for f in schema["fields"] if "default" not in f]
    old = dict(schema, fields=fields)
    record = {f["name"]: value_of(f["type"], chance) for f in fields}
    wanted = {f["name"]: f.get("default") for f in schema["fields"]} | record
    for f in schema["fields"]:
        if "timestamp-millis" in json.dumps(f["type"]) and isinstance(wanted[f["name"]], int):
            wanted[f["name"]] = datetime.datetime.fromtimestamp(wanted[f["name"]] / 1000, UTC)
    written = write_fast(fastavro.parse_schema(old), record)
    got = read_fast(written, fastavro.parse_schema(old), fastavro.parse_schema(schema))
    for name, value in got.items():  # fastavro gives a default as it stands in the schema
        if isinstance(wanted[name], datetime.datetime) and isinstance(value, int):
            got[name] = datetime.datetime.fromtimestamp(value / 1000, UTC)
    assert got == wanted, (schema["name"], got, wanted)


def check_avro(path, seed):
    whole = json.load(open(path))
    for schema in whole if isinstance(whole, list) else [whole]:
        chance = random.Random(seed + schema["name"])
        check_round_trips(schema, chance)
        check_defaults(schema, chance)
        canonical = fastavro.schema.to_parsing_canonical_form(schema)
        print("%s %s %s" % (schema["name"], fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"), canonical))


def fast_reads(writer, reader, chance):
    """Whether every one of many records can be read: what a checker concludes, tried out."""
    parsed = fastavro.parse_schema(writer), fastavro.parse_schema(reader)
    for i in range(24):
        record = {f["name"]: value_of(f["type"][i % len(f["type"])] if isinstance(f["type"], list) else f["type"], chance) for f in writer["fields"]}
        try:
            read_fast(write_fast(parsed[0], record), *parsed)
        except (fastavro.read.SchemaResolutionError, ValueError, TypeError):
            return False
    return True


def avro_reads(writer, reader):
    result = avro.compatibility.ReaderWriterCompatibilityChecker().get_compatibility(*(avro.schema.parse(json.dumps(s)) for s in (reader, writer)))
    return result.compatibility is avro.compatibility.SchemaCompatibilityType.compatible


def check_compare(old, new, seed):
    names = {(True, True): "FULL", (True, False): "BACKWARD", (False, True): "FORWARD", (False, False): "NONE"}
    olds = {s["name"]: s for s in json.load(open(old))}
    for now in json.load(open(new)):
        before, chance = olds[now["name"]], random.Random(seed + now["name"])
        print(now["name"], names[avro_reads(before, now), avro_reads(now, before)], names[fast_reads(before, now, chance), fast_reads(now, before, chance)])


def check_json(path, events):
    schema = json.load(open(path))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    for line in open(events):
        errors = sorted(validator.iter_errors(json.loads(line)), key=str)
        print(errors[0].message.replace("\n", " ") if errors else "")


if __name__ == "__main__":
    {"avro": check_avro, "compare": check_compare, "json": check_json}[sys.argv[1]](*sys.argv[2:])
