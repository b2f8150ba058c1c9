/** What `hookgate --help` says. */
export const generalHelp = `Usage: hookgate <command> [options]

Makes and edits the credentials file that a receiver reads (credentialsFromFile), and looks for mistakes in receivers.

  key new         make a service key, profile key or JWT secret; shown once
  key list        show all credentials, without secrets
  key activate    switch a credential on
  key deactivate  switch a credential off; never the last one by mistake
  key delete      take out a credential that is inactive
  token sign      sign a JWT with the secret of a credential
  doctor          look for mistakes in a module that exports receivers

  hookgate <command> --help  says more. --version shows the version.
Exit codes: 0 done, 1 refused (nothing was changed), 2 not understood.
`;

const which = `  --file PATH      the credentials file
  --tenant NAME
  --service NAME   left out for a tenant's profile keys
  --id ID          as key list shows it
`;

/** What \`hookgate <command> --help\` says, by command. */
export const commandHelp: ReadonlyMap<string, string> = new Map([
  [
    "doctor",
    `Usage: hookgate doctor MODULE

Imports the module and looks at the receivers that it exports, and at the Express apps: event types without a handler,
accepted kinds of credential that nobody holds, lists in shadow mode, app.post in place of app.all, body parsers ahead.
Exit code 1 where there is something to look at. The module must not start a server when it is imported.

Example: hookgate doctor ./receiver.js
`,
  ],
  [
    "key new",
    `Usage: hookgate key new [--file PATH --tenant NAME [--service NAME]] [options]

Prints a new key on standard output, alone and this once; the file gets its SHA-256.
Without --file it only prints a key. A file that is not there is made (mode 0600).

  --file PATH         the credentials file
  --tenant NAME       whose it is
  --service NAME      for a service key or a JWT; left out for a profile key
  --kind KIND         service-key (with --service), profile-key (without), or jwt
  --id ID             default: made from the date
  --not-before WHEN   valid from then on: 2030-01-31T00:00:00Z, or a span from now such as 12h
  --expires WHEN      valid until then; likewise, such as 90d
For --kind jwt:
  --issuer NAME       the token's iss
  --audience NAME     the token's aud; may be given several times
  --algorithm ALG     HS256 (default), HS384, HS512
  --secret-file PATH  write the secret there (mode 0600) and refer to it, or
  --secret-env NAME   print the secret and refer to this variable of the receiver

Example: hookgate key new --file credentials.json --tenant acme --service orders --expires 90d
`,
  ],
  [
    "key list",
    `Usage: hookgate key list --file PATH [--tenant NAME] [--service NAME] [--json]

Shows every credential: tenant, service, kind, id, state, lifetime. No digests, no secrets.
`,
  ],
  [
    "key activate",
    `Usage: hookgate key activate --file PATH --tenant NAME [--service NAME] --id ID\n\n${which}`,
  ],
  [
    "key deactivate",
    `Usage: hookgate key deactivate --file PATH --tenant NAME [--service NAME] --id ID

${which}  --force-lock-out   even if it is the last active one of its kind and owner
`,
  ],
  [
    "key delete",
    `Usage: hookgate key delete --file PATH --tenant NAME [--service NAME] --id ID

Deletes a credential that is inactive: deactivate it first.

${which}`,
  ],
  [
    "token sign",
    `Usage: hookgate token sign --file PATH --tenant NAME --service NAME --id ID [options]

Prints a JWT on standard output, signed with the HMAC secret of the credential.

${which}  --expires-in SPAN  30s, 5m (default), 12h …
  --audience NAME  default: the credential's first; may be given several times
  --claim NAME=TEXT, --claim NAME:=JSON  may be given several times

Example: curl -H "Authorization: Bearer $(hookgate token sign --file credentials.json --tenant acme --service orders --id jwt-1)" …
`,
  ],
]);
