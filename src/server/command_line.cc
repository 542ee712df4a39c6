#include "server/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "server/config_options.h"

namespace millstream::server {
namespace {

void TakeFromEnvironment(std::string& value, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* found = std::getenv(name);
    if (found != nullptr && found[0] != '\0') {
      value = found;
      return;
    }
  }
}

// Takes a word for each value of an enumeration, and names them when it is given another.
template <typename T>
CLI::Validator OneOf(const std::map<std::string, T>& words) {
  std::string names;
  for (const auto& [word, value] : words) names += (names.empty() ? "" : ", ") + word;
  return CLI::Validator(
      [words, names](std::string& given) -> std::string {
        auto found = words.find(CLI::detail::to_lower(given));
        if (found == words.end()) return given + " is none of " + names;
        given = std::to_string(static_cast<int>(found->second));
        return {};
      },
      "");
}

void AddConfigOptions(CLI::App& command, ConfigSources& sources) {
  command.add_option("-c,--config", sources.file, "Configuration file (TOML)")->type_name("FILE");
  Config defaults;
  for (const Option& option : OptionsOf(defaults)) {
    if (option.flag.empty()) continue;
    std::string flag(option.flag);
    std::string key(option.key);
    command
        .add_option_function<std::string>(
            flag,
            [&sources, flag, key](const std::string& value) {
              sources.settings.push_back({flag, key, value});
            },
            std::string(option.help))
        ->type_name("VALUE");
  }
  command
      .add_option_function<std::vector<std::string>>(
          "--set",
          [&sources](const std::vector<std::string>& all) {
            for (const std::string& text : all) {
              auto equals = text.find('=');
              if (equals == std::string::npos) {
                throw CLI::ValidationError("--set", "expected key=value, found " + text);
              }
              sources.settings.push_back({"--set " + text.substr(0, equals), text.substr(0, equals),
                                          text.substr(equals + 1)});
            }
          },
          "Any key of the configuration, e.g. --set log.interval_ms=500")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--stream", sources.streams, "Create this stream (repeatable)")
      ->type_name("NAME[:SHARDS]")
      ->allow_extra_args(false);
  command
      .add_option("--access-key", sources.access_keys,
                  "Verify signatures; accept this key (repeatable)")
      ->type_name("ID:SECRET")
      ->allow_extra_args(false);
}

void AddClientOptions(CLI::App& command, ClientOptions& client) {
  command.add_option("--endpoint", client.endpoint, "Server (AWS_ENDPOINT_URL)")
      ->capture_default_str();
  command.add_option("--region", client.region, "Region (AWS_REGION)")->capture_default_str();
}

CLI::App* AddCommand(CLI::App& app, Invocation& invocation, Command command, const char* name,
                     const char* help) {
  CLI::App* added = app.add_subcommand(name, help);
  added->callback([&invocation, command] { invocation.command = command; });
  return added;
}

void AddTail(CLI::App& app, Invocation& invocation) {
  static const std::map<std::string, TailFormat> kFormats = {
      {"human", TailFormat::kHuman}, {"json", TailFormat::kJson}, {"ndjson", TailFormat::kNdjson}};
  TailOptions& options = invocation.tail;
  CLI::App* tail = AddCommand(app, invocation, Command::kTail, "tail", "Print records of a stream");
  tail->add_option("stream", options.stream, "Stream")->required();
  tail->add_flag("-f,--follow", options.follow, "Wait for further records");
  tail->add_option("-o,--output", options.format,
                   "human: a line of text each; json: records as the API gives them; ndjson: data "
                   "only, one a line")
      ->transform(OneOf(kFormats))
      ->type_name("FORMAT");
  tail->add_option("--from", options.from, "latest, oldest, or a time (2026-01-01T00:00:00Z)")
      ->capture_default_str();
  tail->add_option("--shard", options.shard, "Only this shard");
  tail->add_option("-n,--records", options.records_max, "Stop after so many")
      ->check(CLI::NonNegativeNumber);
  AddClientOptions(*tail, invocation.client);
}

void AddClientCommands(CLI::App& app, Invocation& invocation) {
  CLI::App* streams = AddCommand(app, invocation, Command::kStreams, "streams",
                                 "List streams, or describe one with its shards");
  streams->add_option("stream", invocation.streams.stream, "Describe this one");
  streams->add_flag("--json", invocation.streams.json, "As JSON");
  AddClientOptions(*streams, invocation.client);

  PutOptions& put_options = invocation.put;
  CLI::App* put = AddCommand(app, invocation, Command::kPut, "put",
                             "Put records: the arguments, or each line of standard input");
  put->add_option("stream", put_options.stream, "Stream")->required();
  put->add_option("data", put_options.data, "Records");
  put->add_option("-k,--partition-key", put_options.partition_key,
                  "Partition key of all (default: a random one each)");
  put->add_option("--explicit-hash-key", put_options.explicit_hash_key, "Decimal hash key of all");
  AddClientOptions(*put, invocation.client);

  AddTail(app, invocation);

  BenchOptions& bench_options = invocation.bench;
  CLI::App* bench = AddCommand(app, invocation, Command::kBench, "bench",
                               "Put records as fast as a few connections can, for a few seconds");
  bench->add_option("--stream", bench_options.stream, "Stream; created when missing")
      ->capture_default_str();
  bench->add_option("--seconds", bench_options.seconds)
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  bench->add_option("--connections", bench_options.connections)
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  bench->add_option("--record-bytes", bench_options.record_bytes)
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  bench->add_option("--batch", bench_options.batch, "Records a PutRecords")
      ->check(CLI::Range(1, 500))
      ->capture_default_str();
  AddClientOptions(*bench, invocation.client);
}

void AddSql(CLI::App& app, Invocation& invocation) {
  static const std::map<std::string, SqlFormat> kFormats = {{"ndjson", SqlFormat::kNdjson},
                                                            {"json", SqlFormat::kJson},
                                                            {"csv", SqlFormat::kCsv},
                                                            {"table", SqlFormat::kTable}};
  SqlOptions& options = invocation.sql;
  CLI::App* sql = AddCommand(app, invocation, Command::kSql, "sql",
                             "Run a SQL application on files, a pipe or a live stream");
  sql->add_option("application", options.application,
                  "SQL text, or a document with an application: JSON of describe-application or "
                  "create-application, CloudFormation (JSON, YAML), terraform show -json; - is standard input")
      ->type_name("FILE");
  sql->add_option("--name", options.name, "Which application of a document with several");
  auto list = [&](const char* name, std::vector<std::string>& values, const char* help,
                  const char* type) {
    sql->add_option(name, values, help)->allow_extra_args(false)->type_name(type);
  };
  list("-i,--input", options.inputs,
       "Records of an in-application stream: NDJSON, JSON or CSV; - is standard input (repeatable)",
       "[NAME=]FILE");
  list("-r,--reference", options.references, "Rows of a reference table (repeatable)", "NAME=FILE");
  list("--schema", options.schemas,
       "Input schema as AWS writes it (default: APPLICATION with .schema.json if it is there; else it "
       "is discovered from the first records)",
       "[NAME=]FILE");
  list("--columns", options.columns,
       "The same in SQL: 'ticker VARCHAR(4), price DOUBLE'; without NAME, of the only input",
       "[NAME=]COLUMNS");
  list("--rowtime", options.rowtimes,
       "Take ROWTIME from this member or column: a timestamp text, or a number of seconds or "
       "milliseconds since 1970. A time before the last one is raised to it",
       "[NAME=]PATH");
  sql->add_option("--start", options.start,
                  "Without --rowtime: ROWTIME of the first record; each further record of an input "
                  "is a tick later. Also CURRENT_TIMESTAMP")
      ->type_name("TIME")
      ->capture_default_str();
  sql->add_option("--tick", options.tick, "0, or a duration: 1ms, 10s, 5m, 1h")
      ->type_name("DURATION")
      ->capture_default_str();
  sql->add_flag("--records", options.records,
                "Inputs are lines as `millstream tail -o json` prints: arrival time (the ROWTIME), "
                "partition key, sequence number and data of a record");
  sql->add_flag("--header", options.header, "The first line of CSV inputs is no record");
  list("-o,--output", options.outputs,
       "Print this in-application stream (repeatable; default: those that the application has as "
       "outputs, else all that its code creates); error_stream works too",
       "STREAM");
  sql->add_option(
         "-f,--format", options.format,
         "ndjson and json: {\"stream\", \"rowtime\", \"row\"}; csv: of one stream; table: for "
         "people")
      ->transform(OneOf(kFormats))
      ->type_name("FORMAT")
      ->default_str("ndjson");
  sql->add_flag("--bare", options.bare,
                "Rows alone, as they would be written to an output stream");
  sql->add_flag("--strict", options.strict, "Exit with 4 when a row went to error_stream");
  list("-e,--eval", options.evaluate, "Print the value of an expression (repeatable)", "EXPRESSION");
  sql->add_flag("--check", options.check, "Judge the application and run nothing");
  sql->add_flag("--explain", options.explain, "Show the plan and run nothing");
  sql->add_flag("--print-schema", options.print_schema,
                "Print the schemas in use, for --schema, and run nothing");
  list("--follow", options.follow,
       "Run live on a stream of a server (repeatable); ROWTIME is the time of reading",
       "[NAME=]STREAM");
  sql->add_option("--from", options.from, "With --follow: latest, oldest, or a time")
      ->capture_default_str();
  sql->add_option("-n,--rows", options.rows_max, "Stop after so many rows are printed")
      ->check(CLI::NonNegativeNumber);
  sql->footer(
      "Exit codes: 0 done; 1 it failed while running; 2 the command line is wrong; 3 the application or "
      "a schema is wrong; 4 rows failed (--strict).");
  AddClientOptions(*sql, invocation.client);
}

}  // namespace

tl::expected<Invocation, int> ParseCommandLine(int argc, char** argv) {
  Invocation invocation;
  ClientOptions& client = invocation.client;
  TakeFromEnvironment(client.endpoint, {"AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL"});
  TakeFromEnvironment(client.region, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  TakeFromEnvironment(client.access_key, {"AWS_ACCESS_KEY_ID"});
  TakeFromEnvironment(client.secret, {"AWS_SECRET_ACCESS_KEY"});
  TakeFromEnvironment(client.session_token, {"AWS_SESSION_TOKEN"});

  CLI::App app("Millstream: real-time streams that speak Amazon Kinesis", "millstream");
  app.require_subcommand(1);
  app.set_version_flag("--version", MILLSTREAM_VERSION);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("millstream: ") + error.what() + "\nmillstream: see millstream --help\n";
  });

  CLI::App* serve = AddCommand(app, invocation, Command::kServe, "serve", "Run the server");
  AddConfigOptions(*serve, invocation.config);
  CLI::App* config = AddCommand(app, invocation, Command::kConfig, "config",
                                "Print the effective configuration and where each value came from");
  AddConfigOptions(*config, invocation.config);

  CLI::App* certificate =
      AddCommand(app, invocation, Command::kCertificate, "certificate",
                 "Make a local certificate authority and a certificate for TLS");
  certificate->add_option("--directory", invocation.certificate.directory, "Where to put the files")
      ->capture_default_str();
  certificate
      ->add_option("--name", invocation.certificate.names,
                   "Host name or address beside localhost (repeatable)")
      ->allow_extra_args(false);
  certificate->add_option("--days", invocation.certificate.days, "How long it is valid")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();

  AddClientCommands(app, invocation);

  CLI::App* doctor = AddCommand(app, invocation, Command::kDoctor, "doctor",
                                "Check a data directory; the server must not be running");
  doctor->add_option("directory", invocation.doctor.directory,
                     "Data directory (default: the configured one)");
  AddConfigOptions(*doctor, invocation.config);

  AddSql(app, invocation);

  AddCommand(app, invocation, Command::kVersion, "version", "Print the version");

  if (argc > 1 && argv[1][0] != '-') {
    std::string names;
    bool known = false;
    for (const CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
      names += (names.empty() ? "" : ", ") + command->get_name();
      known = known || command->get_name() == argv[1];
    }
    if (!known) {
      std::fprintf(stderr, "millstream: %s is no command; there are %s\n", argv[1], names.c_str());
      return tl::unexpected(2);
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    int code = app.exit(error);
    return tl::unexpected(code == 0 ? 0 : 2);
  }
  invocation.config.environment = MillstreamEnvironment();
  return invocation;
}

}  // namespace millstream::server
