-- What people write down: offers, keys, settings.
--
-- These files run on SQLite and on PostgreSQL alike, in the order of their numbers, each once. A file that was released
-- never changes. `:now` stands for the time of the migration. Times are milliseconds since 1970. In texts a backslash is
-- written `\\` and the character U+0000, which PostgreSQL cannot hold, `\0`.

-- Rises with each change of an offer, a key or a setting. Every change locks this row first, so changes take turns.
CREATE TABLE foretide_revision (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    revision BIGINT NOT NULL
);
INSERT INTO foretide_revision (only_row, revision) VALUES (1, 1);

CREATE TABLE foretide_offers (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    -- A JSON object with its kind and what belongs to the kind.
    terms TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'archived')),
    version BIGINT NOT NULL CHECK (version >= 1),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
INSERT INTO foretide_offers (id, name, terms, state, version, created_at, updated_at) VALUES
    ('discount-10', '10 % off the cart', '{"kind":"discount","percent":10}', 'active', 1, :now, :now),
    ('recommendations', 'Products you may like', '{"kind":"recommendations","products":8}', 'active', 1, :now, :now);

-- Keys made at run time. The key itself is never kept, only its SHA-256 in hexadecimal digits; the id is the first 8.
CREATE TABLE foretide_keys (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('write', 'admin')),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

-- A setting without a value was removed; its row keeps the version, so that versions never repeat.
CREATE TABLE foretide_settings (
    name TEXT NOT NULL PRIMARY KEY,
    -- JSON.
    value TEXT,
    version BIGINT NOT NULL CHECK (version >= 1),
    updated_at BIGINT NOT NULL
);
