"""The steps in order: documents, chunks, vectors, index, models; each only when something it depends on has changed."""

import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.progress import Progress
from pipelines.rag.documents import Chunk, chunks_of, digest_of, read_documents
from pipelines.rag.evaluation import FILE, Question, read_questions, retrieval_quality
from pipelines.rag.index import TABLE, ensure_index, find_index, sync_index, write_chunks
from pipelines.rag.parameters import packages
from pipelines.rag.request import Request
from pipelines.schemas import ensure_schema
from pipelines.sql import Warehouse, find_warehouse
from pipelines.versions import find_version

# Names without dots: Unity Catalog takes none in the tags of a model version.
INDEX_DIGEST: Final = "rag_index_digest"
MODEL_DIGEST: Final = "rag_model_digest"
EMBEDDER, READER, CHATBOT = "rag_embedder", "rag_reader", "rag_chatbot"


def run(request: Request, workspace: WorkspaceClient, progress: Progress) -> dict[str, str]:
    """Bring index and models up to date, and return the version of each model that is.

    Raises PipelineError for what the operator can mend, and the clients' own errors for what the workspace refuses.
    """
    parameters = request.parameters
    documents = read_documents(request.data)
    chunks = chunks_of(documents, parameters.chunk_size)
    progress.say("chunks", f"{len(chunks)} of {len(documents)} documents, at most {parameters.chunk_size} characters")
    embeddings = "rag_embedder" if parameters.own_embeddings else parameters.embedding_model
    index_digest = _digest(
        ("documents.py", "embedding.py", "index.py", "models/embedder_model.py"),
        digest_of(documents),
        str(parameters.chunk_size),
        embeddings,
        str(sorted(packages().items())),
    )
    questions = read_questions({document.name for document in documents}, request.data)
    wanted = _wanted(request, index_digest, questions)
    versions = _found(request, workspace, wanted)
    fresh = not request.force and _index_is_fresh(request, workspace, index_digest)
    if fresh and len(versions) == len(wanted):
        listed = ", ".join(f"{name} version {version}" for name, version in versions.items())
        progress.say("up to date", f"{listed}; index {request.index}")
        return versions
    return _make(request, workspace, chunks, questions, index_digest, wanted, versions, progress)


def _make(
    request: Request,
    workspace: WorkspaceClient,
    chunks: Sequence[Chunk],
    questions: Sequence[Question],
    index_digest: str,
    wanted: Mapping[str, Mapping[str, str]],
    versions: dict[str, str],
    progress: Progress,
) -> dict[str, str]:
    # Imported here, because a run that finds everything up to date needs neither MLflow nor scikit-learn.
    from pipelines.rag.embedding import ask, fit, vectors_of
    from pipelines.rag.registering import Registrar

    warehouse = Warehouse(workspace, find_warehouse(workspace, request.warehouse_id), request.catalog, request.schema)
    for schema in (request.schema, request.monitoring_schema):
        ensure_schema(workspace, request.catalog, schema)
    registrar = Registrar(request, workspace, progress)
    made = dict(versions)
    texts, asked = [chunk.text for chunk in chunks], [question.text for question in questions]
    if request.parameters.own_embeddings:
        # Fitting has no chance in it: the same chunks give the vectors that a version found above would give.
        pipeline = fit(texts)
        vectors = vectors_of(pipeline, texts)
        if EMBEDDER not in made:
            made[EMBEDDER] = registrar.embedder(pipeline, wanted[EMBEDDER])
        of_questions = vectors_of(pipeline, asked) if asked else []
    else:
        embedder = request.parameters.embedding_model
        vectors, of_questions = ask(workspace, embedder, texts), ask(workspace, embedder, asked)
    write_chunks(warehouse, chunks, vectors)
    became = _index(request, workspace, len(vectors[0]))
    warehouse.run(f"ALTER TABLE {TABLE} SET TBLPROPERTIES ('{INDEX_DIGEST}' = '{index_digest}')")
    progress.say("index", f"{request.index} {became}, {len(vectors[0])} numbers a vector")
    if READER in wanted and READER not in made:
        made[READER] = registrar.reader(wanted[READER])
    if CHATBOT not in made:
        quality = (
            retrieval_quality(questions, of_questions, chunks, vectors, request.parameters.top_k) if questions else None
        )
        progress.say("retrieval", str(quality or f"not measured: there is no {FILE} beside the documents"))
        made[CHATBOT] = registrar.chatbot(wanted[CHATBOT], quality)
    return made


def _index(request: Request, workspace: WorkspaceClient, width: int) -> str:
    """Bring the index in step with the table of chunks; what became of it."""
    if not request.makes_index:
        there = sync_index(workspace, request.index, width, request.patience_seconds)
        return "synced" if there else "left to the stack that makes it"
    made = ensure_index(
        workspace,
        request.search_endpoint,
        request.index,
        f"{request.full_schema}.{TABLE}",
        width,
        request.patience_seconds,
    )
    return "made" if made else "synced"


def _wanted(request: Request, index_digest: str, questions: Sequence[Question]) -> dict[str, dict[str, str]]:
    """What each model's version must have been made of; the chatbot's also, what it was measured by."""
    made_with = str(sorted(packages().items()))
    parameters = request.parameters
    chatbot = _digest(
        ("models/rag_model.py", "registering.py", "evaluation.py"),
        repr(parameters),
        request.index,
        made_with,
        repr(questions),
    )
    wanted = {CHATBOT: {MODEL_DIGEST: chatbot}, READER: {MODEL_DIGEST: _digest(("models/reader_model.py",), made_with)}}
    if parameters.own_embeddings:
        wanted[EMBEDDER] = {MODEL_DIGEST: index_digest}
    return wanted


def _found(request: Request, workspace: WorkspaceClient, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    if request.force:
        return {}
    found = {name: find_version(workspace, request.model(name), digests) for name, digests in wanted.items()}
    return {name: version for name, version in found.items() if version is not None}


def _index_is_fresh(request: Request, workspace: WorkspaceClient, digest: str) -> bool:
    try:
        table = workspace.tables.get(f"{request.full_schema}.{TABLE}")
    except NotFound:
        return False
    found = find_index(workspace, request.index)
    if found is None and not request.makes_index:
        ready = True
    else:
        ready = found is not None and found.status is not None and bool(found.status.ready)
    return ready and (table.properties or {}).get(INDEX_DIGEST) == digest


def _digest(code: tuple[str, ...], *more: str) -> str:
    hashed = hashlib.sha256()
    for name in code:
        hashed.update(resources.files(__package__).joinpath(name).read_bytes())
    for text in more:
        hashed.update(text.encode() + b"\0")
    return hashed.hexdigest()
