//! Syntax of utility statements: everything that is not SELECT, INSERT, UPDATE or DELETE.

use super::ast::*;
use super::definition::DefinitionItem;
use super::routine::{AlterRoutine, CreateAggregate, CreateRoutine, DropRoutine};

#[derive(Debug, Clone, PartialEq)]
pub enum Utility {
    // Transactions
    Begin {
        /// Written START TRANSACTION.
        start: bool,
        isolation: Option<String>,
        read_only: Option<bool>,
        deferrable: Option<bool>,
    },
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    PrepareTransaction(String),
    /// COMMIT PREPARED, or ROLLBACK PREPARED.
    FinishPrepared {
        gid: String,
        commit: bool,
    },
    Savepoint(Ident),
    ReleaseSavepoint(Ident),
    RollbackTo(Ident),
    /// `SET TRANSACTION …` and `SET SESSION CHARACTERISTICS AS TRANSACTION …`.
    SetTransaction {
        session: bool,
        isolation: Option<String>,
        read_only: Option<bool>,
        deferrable: Option<bool>,
        snapshot: Option<String>,
    },
    SetConstraints {
        names: Vec<Name>,
        deferred: bool,
    },
    Lock {
        tables: Vec<Name>,
        mode: String,
        nowait: bool,
    },

    // Settings
    Set {
        scope: SetScope,
        name: String,
        value: SetValue,
    },
    Show(String),
    ShowAll,
    /// None is RESET ALL.
    Reset(Option<String>),
    Discard(DiscardTarget),

    // Prepared statements, cursors
    Prepare {
        name: Ident,
        types: Vec<TypeName>,
        statement: Box<ParsedStatement>,
    },
    Execute {
        name: Ident,
        args: Vec<Expr>,
    },
    /// None is DEALLOCATE ALL.
    Deallocate(Option<Ident>),
    Declare {
        name: Ident,
        binary: bool,
        scroll: Option<bool>,
        hold: bool,
        query: Box<Query>,
        query_span: Span,
    },
    Fetch {
        cursor: Ident,
        direction: FetchDirection,
        count: FetchCount,
        move_only: bool,
    },
    /// None is CLOSE ALL.
    Close(Option<Ident>),

    /// UPDATE or DELETE … WHERE CURRENT OF.
    ChangeCurrent {
        statement: Box<Statement>,
        cursor: String,
    },
    Explain {
        options: Vec<(String, Option<String>)>,
        statement: Box<ParsedStatement>,
    },
    Copy(Box<Copy>),
    Listen(Ident),
    Unlisten(Option<Ident>),
    Notify {
        channel: Ident,
        payload: Option<String>,
    },

    // Objects
    CreateTable(Box<CreateTable>),
    CreateTableAs(Box<CreateTableAs>),
    AlterTable(Box<AlterTable>),
    CreateType {
        name: Name,
        definition: TypeDefinition,
    },
    CreateDomain(Box<CreateDomain>),
    AlterType {
        name: Name,
        actions: Vec<AlterTypeAction>,
    },
    AlterDomain {
        name: Name,
        action: Box<AlterDomainAction>,
    },
    CreateView(Box<CreateView>),
    CreateIndex(Box<CreateIndex>),
    /// ALTER INDEX … ATTACH PARTITION.
    AttachIndex {
        index: Name,
        partition: Name,
    },
    AlterIndex {
        name: Name,
        if_exists: bool,
        actions: Vec<AlterIndexAction>,
    },
    CreateSequence {
        name: Name,
        temporary: bool,
        if_not_exists: bool,
        options: Vec<SequenceOption>,
    },
    AlterSequence {
        name: Name,
        if_exists: bool,
        options: Vec<SequenceOption>,
    },
    CreateSchema {
        name: Option<Ident>,
        owner: Option<Ident>,
        if_not_exists: bool,
        elements: Vec<ParsedStatement>,
    },
    CreateDatabase {
        name: Ident,
        options: Vec<(String, String)>,
    },
    AlterDatabase {
        name: Ident,
        action: AlterDatabase,
    },
    CreateRole {
        name: Ident,
        options: Vec<RoleOption>,
        is_user: bool,
        is_group: bool,
    },
    AlterRole {
        name: Ident,
        action: AlterRole,
    },
    DropRole {
        names: Vec<Ident>,
        if_exists: bool,
    },
    Grant(Box<Grant>),
    AlterDefaultPrivileges(Box<DefaultGrant>),
    ReassignOwned {
        from: Vec<Ident>,
        to: Ident,
    },
    DropOwned {
        roles: Vec<Ident>,
        cascade: bool,
    },
    Drop(Box<Drop>),
    DropDatabase {
        name: Ident,
        if_exists: bool,
        force: bool,
    },
    Truncate {
        /// Names, and whether without what inherits from them.
        tables: Vec<(Name, bool)>,
        restart_identity: bool,
        cascade: bool,
    },
    Comment {
        object: ObjectName,
        text: Option<String>,
    },
    /// SECURITY LABEL [FOR provider] ON object IS label.
    SecurityLabel {
        provider: Option<String>,
        object: ObjectName,
        label: Option<String>,
    },
    /// ALTER <object> … RENAME TO / SET SCHEMA / OWNER TO for all object kinds (tables included when it is the only action).
    Rename {
        object: ObjectName,
        column: Option<Ident>,
        constraint: Option<Ident>,
        to: Ident,
        if_exists: bool,
    },
    SetSchema {
        object: ObjectName,
        schema: Ident,
        if_exists: bool,
    },
    SetOwner {
        object: ObjectName,
        owner: Ident,
        if_exists: bool,
    },
    /// CLUSTER [table [USING index]]
    Cluster {
        table: Option<Name>,
        index: Option<Ident>,
    },
    Reindex {
        target: ReindexTarget,
        concurrently: bool,
    },
    /// VACUUM, ANALYZE, CHECKPOINT with the tables named, each with the columns named.
    Maintenance {
        verb: String,
        tables: Vec<(Name, Vec<Ident>)>,
    },
    RefreshMaterializedView {
        name: Name,
        concurrently: bool,
        with_data: bool,
    },
    CreateRoutine(Box<CreateRoutine>),
    CreateAggregate(Box<CreateAggregate>),
    AlterRoutine(Box<AlterRoutine>),
    DropRoutine(Box<DropRoutine>),
    /// The procedure with its arguments, and where they stand.
    Do(super::routine::Do),
    Call(Box<(Call, Span)>),
    CreateExtension(CreateExtension),
    AlterExtension(AlterExtension),
    CreateCollation(CreateCollation),
    /// ALTER COLLATION … REFRESH VERSION.
    RefreshCollationVersion(Name),
    CreateStatistics(CreateStatistics),
    CreateTextSearch(CreateTextSearch),
    AlterTextSearchDictionary(AlterTextSearchDictionary),
    AlterTextSearchConfiguration(AlterTextSearchConfiguration),
    /// ALTER STATISTICS … SET STATISTICS.
    SetStatisticsTarget {
        name: Name,
        if_exists: bool,
        target: i32,
    },
    DropAbsent(DropAbsent),
    /// DO, CREATE FUNCTION … : known to the grammar, not to the engine yet. The feature's name as `0A000` prints it.
    Unsupported(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetScope {
    Session,
    Local,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SetValue {
    Default,
    /// Several for list settings such as search_path. Identifiers and literals as their text; numbers as written.
    Values(Vec<String>),
    /// `SET TIME ZONE INTERVAL '…'` / number: PostgreSQL's own syntax for zones.
    TimeZoneInterval(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardTarget {
    All,
    Plans,
    Sequences,
    Temp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchDirection {
    Forward,
    Backward,
    Absolute,
    Relative,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchCount {
    Rows(i64),
    All,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    pub target: CopyTarget,
    pub from: bool,
    pub location: CopyLocation,
    /// (name in lower case, value); old syntax is translated to the new one. Lists keep their items.
    pub options: Vec<(String, CopyOptionValue)>,
    pub filter: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CopyTarget {
    Table { name: Name, columns: Vec<Ident> },
    Statement(Box<Statement>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum CopyLocation {
    Standard,
    File(String),
    Program(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum CopyOptionValue {
    None,
    Text(String),
    Columns(Vec<String>),
    Star,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    pub name: Name,
    pub temporary: bool,
    pub unlogged: bool,
    pub if_not_exists: bool,
    pub elements: Vec<TableElement>,
    pub inherits: Vec<Name>,
    /// The composite type of `OF type`.
    pub of_type: Option<Name>,
    pub partition_of: Option<(Name, PartitionBoundSpec)>,
    pub partition_by: Option<PartitionBy>,
    pub options: Vec<(String, String)>,
    pub on_commit: OnCommit,
}

/// `PARTITION BY strategy (keys)`.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionBy {
    pub strategy: Ident,
    pub keys: Vec<PartitionItem>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionItem {
    pub expr: Expr,
    pub collation: Option<Name>,
    pub operator_class: Option<Name>,
    pub span: Span,
}

/// `DEFAULT` or `FOR VALUES …`.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionBoundSpec {
    Default,
    In(Vec<Expr>),
    FromTo(Vec<Expr>, Vec<Expr>),
    /// Names and numbers.
    With(Vec<(Ident, i32)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCommit {
    Preserve,
    DeleteRows,
    Drop,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TableElement {
    Column(ColumnDefinition),
    Constraint(TableConstraint),
    /// `column WITH OPTIONS constraints` of a table OF a type.
    ColumnOptions {
        name: Ident,
        constraints: Vec<ColumnConstraint>,
    },
    /// `LIKE other INCLUDING …` (names of what is included, "all" possible).
    Like {
        table: Name,
        including: Vec<String>,
        excluding: Vec<String>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDefinition {
    pub name: Ident,
    pub ty: TypeName,
    pub collation: Option<Name>,
    pub constraints: Vec<ColumnConstraint>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnConstraint {
    pub name: Option<Ident>,
    pub kind: ColumnConstraintKind,
    pub timing: ConstraintTiming,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ColumnConstraintKind {
    NotNull,
    Null,
    Default(Expr, String),
    /// Expression and its SQL text.
    Check(Expr, String),
    PrimaryKey {
        include: Vec<Ident>,
    },
    Unique {
        include: Vec<Ident>,
        nulls_not_distinct: bool,
    },
    References(References),
    Identity {
        always: bool,
        options: Vec<SequenceOption>,
    },
    GeneratedStored(Expr, String),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConstraintTiming {
    pub deferrable: Option<bool>,
    pub initially_deferred: Option<bool>,
    pub not_valid: bool,
    /// Of a CHECK that children do not have.
    pub no_inherit: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct References {
    pub table: Name,
    pub columns: Vec<Ident>,
    pub match_full: bool,
    pub on_update: aegis_catalog::object::ReferentialAction,
    pub on_delete: aegis_catalog::object::ReferentialAction,
    /// The columns that ON DELETE SET NULL or SET DEFAULT names.
    pub delete_columns: Vec<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TableConstraint {
    pub name: Option<Ident>,
    pub kind: TableConstraintKind,
    pub timing: ConstraintTiming,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TableConstraintKind {
    PrimaryKey { columns: Vec<Ident>, include: Vec<Ident>, using_index: Option<Ident> },
    Unique { columns: Vec<Ident>, include: Vec<Ident>, nulls_not_distinct: bool, using_index: Option<Ident> },
    Check(Expr, String),
    ForeignKey { columns: Vec<Ident>, references: References },
    Exclude,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateTableAs {
    pub name: Name,
    pub columns: Vec<Ident>,
    pub temporary: bool,
    pub unlogged: bool,
    pub if_not_exists: bool,
    pub materialized_view: bool,
    pub on_commit: OnCommit,
    pub with_data: bool,
    pub options: Vec<(String, String)>,
    /// The text of the source.
    pub text: String,
    /// A query, or EXECUTE of a prepared statement.
    pub source: Box<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    /// Written ALTER VIEW.
    pub view: bool,
    /// Written ALTER MATERIALIZED VIEW.
    pub materialized_view: bool,
    pub name: Name,
    pub if_exists: bool,
    pub only: bool,
    pub actions: Vec<AlterTableAction>,
}

/// What REINDEX is for.
#[derive(Debug, Clone, PartialEq)]
pub enum ReindexTarget {
    Index(Name),
    Table(Name),
    Schema(Ident),
    Database(Option<Ident>),
    System(Option<Ident>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum AlterTableAction {
    /// CLUSTER ON; without an index SET WITHOUT CLUSTER.
    ClusterOn(Option<Ident>),
    AddColumn {
        column: ColumnDefinition,
        if_not_exists: bool,
    },
    DropColumn {
        column: Ident,
        if_exists: bool,
        cascade: bool,
    },
    SetDefault {
        column: Ident,
        expr: Expr,
        text: String,
    },
    DropDefault {
        column: Ident,
    },
    SetNotNull {
        column: Ident,
    },
    DropNotNull {
        column: Ident,
    },
    SetType {
        column: Ident,
        ty: TypeName,
        collation: Option<Name>,
        using: Option<(Expr, String)>,
    },
    AddIdentity {
        column: Ident,
        always: bool,
        options: Vec<SequenceOption>,
    },
    SetIdentity {
        column: Ident,
        always: Option<bool>,
        options: Vec<SequenceOption>,
    },
    DropIdentity {
        column: Ident,
        if_exists: bool,
    },
    DropExpression {
        column: Ident,
        if_exists: bool,
    },
    ColumnHint {
        column: Ident,
        hint: ColumnHint,
    },
    AddConstraint(TableConstraint),
    DropConstraint {
        name: Ident,
        if_exists: bool,
        cascade: bool,
    },
    ValidateConstraint(Ident),
    AlterConstraint {
        name: Ident,
        timing: ConstraintTiming,
    },
    SetOptions(Vec<(String, String)>),
    ResetOptions(Vec<String>),
    OwnerTo(Ident),
    SetLogged(bool),
    OfType(Name),
    NotOfType,
    SetWithoutOids,
    AttachPartition {
        partition: Name,
        bound: PartitionBoundSpec,
    },
    DetachPartition {
        partition: Name,
        mode: DetachMode,
    },
    /// INHERIT (true) or NO INHERIT another table.
    Inherit(Name, bool),
    /// ENABLE/DISABLE TRIGGER, REPLICA IDENTITY, INHERIT, ATTACH PARTITION …: the feature's name.
    Unsupported(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetachMode {
    AtOnce,
    Concurrently,
    Finalize,
}

/// What ALTER COLUMN says about statistics and storage: facts that are shown and have no effect here.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnHint {
    Statistics(i32),
    Storage(String),
    Compression(String),
    SetOptions(Vec<(String, String)>),
    ResetOptions(Vec<String>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum AlterIndexAction {
    SetOptions(Vec<(String, String)>),
    ResetOptions(Vec<String>),
    /// Of a column by number.
    SetStatistics {
        column: i64,
        target: i32,
    },
    Unsupported(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateExtension {
    pub name: Ident,
    pub if_not_exists: bool,
    pub schema: Option<Ident>,
    pub version: Option<String>,
}

/// ALTER EXTENSION … UPDATE [TO version].
#[derive(Debug, Clone, PartialEq)]
pub struct AlterExtension {
    pub name: Ident,
    pub update_to: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateCollation {
    pub name: Name,
    pub if_not_exists: bool,
    pub source: CollationSource,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CollationSource {
    From(Name),
    Options(Vec<(String, String)>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateStatistics {
    pub name: Name,
    pub if_not_exists: bool,
    /// Names in lower case; none for all.
    pub kinds: Vec<String>,
    /// Columns and expressions.
    pub items: Vec<Expr>,
    pub table: Name,
}

/// CREATE TEXT SEARCH CONFIGURATION and DICTIONARY.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTextSearch {
    pub dictionary: bool,
    pub name: Name,
    pub options: Vec<(String, String)>,
}

/// ALTER TEXT SEARCH DICTIONARY … (option [= value], …): an option without a value goes.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterTextSearchDictionary {
    pub name: Name,
    pub options: Vec<(String, Option<String>)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterTextSearchConfiguration {
    pub name: Name,
    pub change: MappingChange,
}

/// What happens to the dictionaries of token types.
#[derive(Debug, Clone, PartialEq)]
pub enum MappingChange {
    Add {
        types: Vec<Ident>,
        dictionaries: Vec<Name>,
    },
    Set {
        types: Vec<Ident>,
        dictionaries: Vec<Name>,
    },
    /// For all types if none is named.
    Replace {
        types: Vec<Ident>,
        old: Name,
        new: Name,
    },
    Drop {
        types: Vec<Ident>,
        if_exists: bool,
    },
}

/// DROP of objects of a kind that nothing creates yet.
#[derive(Debug, Clone, PartialEq)]
pub struct DropAbsent {
    /// As messages say it: `trigger`, `text search configuration`.
    pub kind: &'static str,
    pub names: Vec<Name>,
    /// The table of a trigger, policy or rule.
    pub on: Option<Name>,
    pub if_exists: bool,
}

/// What follows AS in CREATE TYPE.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeDefinition {
    Range(Vec<DefinitionItem>),
    Enum(Vec<String>),
    Composite(Vec<AttributeDefinition>),
}

/// An attribute of a composite type.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeDefinition {
    pub name: Ident,
    pub ty: TypeName,
    pub collation: Option<Name>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateDomain {
    pub name: Name,
    pub ty: TypeName,
    pub collation: Option<Name>,
    pub constraints: Vec<DomainConstraint>,
}

/// A constraint or default of a domain, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainConstraint {
    pub constraint: ColumnConstraint,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AlterTypeAction {
    AddValue {
        value: String,
        if_not_exists: bool,
        /// BEFORE (true) or AFTER (false) another label.
        neighbor: Option<(bool, String)>,
    },
    RenameValue {
        from: String,
        to: String,
    },
    AddAttribute {
        attribute: AttributeDefinition,
        cascade: bool,
    },
    DropAttribute {
        name: Ident,
        if_exists: bool,
        cascade: bool,
    },
    SetAttributeType {
        attribute: AttributeDefinition,
        cascade: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum AlterDomainAction {
    SetDefault(Expr, String),
    DropDefault,
    SetNotNull,
    DropNotNull,
    AddConstraint(DomainConstraint),
    DropConstraint { name: Ident, if_exists: bool, cascade: bool },
    ValidateConstraint(Ident),
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    pub name: Name,
    pub columns: Vec<Ident>,
    pub or_replace: bool,
    pub temporary: bool,
    pub query: Box<Query>,
    /// SQL text of the query.
    pub text: String,
    pub check_option: Option<String>,
    pub options: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateIndex {
    pub name: Option<Ident>,
    pub table: Name,
    /// Not for the partitions that are there.
    pub only: bool,
    pub method: Option<String>,
    pub unique: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    pub keys: Vec<IndexElement>,
    pub include: Vec<Ident>,
    pub nulls_not_distinct: bool,
    pub predicate: Option<(Expr, String)>,
    pub options: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct IndexElement {
    pub expr: Expr,
    pub text: String,
    pub collation: Option<Name>,
    pub operator_class: Option<Name>,
    pub descending: bool,
    pub nulls_first: Option<bool>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SequenceOption {
    As(TypeName),
    Increment(i64),
    MinValue(Option<i64>),
    MaxValue(Option<i64>),
    Start(i64),
    Restart(Option<i64>),
    Cache(i64),
    Cycle(bool),
    /// None is OWNED BY NONE.
    OwnedBy(Option<Name>),
    /// SEQUENCE NAME of an identity column.
    Name(Name),
}

#[derive(Debug, Clone, PartialEq)]
pub enum AlterDatabase {
    Set { name: String, value: SetValue },
    Reset(Option<String>),
    Options(Vec<(String, String)>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum RoleOption {
    Flag {
        name: String,
        on: bool,
    },
    Password(Option<String>),
    ConnectionLimit(i32),
    ValidUntil(String),
    InRole(Vec<Ident>),
    Members(Vec<Ident>),
    /// Members who may grant the role to others.
    AdminMembers(Vec<Ident>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum AlterRole {
    Options(Vec<RoleOption>),
    Set { database: Option<Ident>, name: String, value: SetValue },
    Reset { database: Option<Ident>, name: Option<String> },
}

/// GRANT and REVOKE.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    pub revoke: bool,
    /// Empty is ALL PRIVILEGES; column lists in the second part.
    pub privileges: Vec<(String, Vec<Ident>)>,
    /// Written ALTER GROUP.
    pub alters_group: bool,
    /// None when roles are granted.
    pub objects: Option<Vec<ObjectName>>,
    pub roles: Vec<Ident>,
    pub grantees: Vec<Ident>,
    pub grant_option: bool,
    pub cascade: bool,
}

/// ALTER DEFAULT PRIVILEGES.
#[derive(Debug, Clone, PartialEq)]
pub struct DefaultGrant {
    /// FOR ROLE; empty for the current one.
    pub roles: Vec<Ident>,
    pub schemas: Vec<Ident>,
    /// `tables`, `functions` …
    pub objects: String,
    pub grant: Grant,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Drop {
    pub kind: ObjectKind,
    pub names: Vec<Name>,
    pub if_exists: bool,
    pub cascade: bool,
    pub concurrently: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    Table,
    View,
    MaterializedView,
    Index,
    Sequence,
    Schema,
    Type,
    Domain,
    Function,
    Procedure,
    Extension,
    Database,
    Role,
    Column,
    Constraint,
    Trigger,
    Other(&'static str),
}

/// `TABLE s.t`, `COLUMN s.t.c`, `CONSTRAINT c ON t`, …
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectName {
    pub kind: ObjectKind,
    pub name: Name,
    /// Table, or domain, of a constraint or trigger.
    pub on: Option<Name>,
    pub on_domain: bool,
    /// Argument types of a function; None if no list is written.
    pub args: Option<Vec<TypeName>>,
}
