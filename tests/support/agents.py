"""Agents that need no language model: a chat model and a responses agent that answer from what they are asked."""

from __future__ import annotations

from pathlib import Path

import mlflow

CHAT = """
import os
import mlflow
from mlflow.types.llm import ChatChoice, ChatChunkChoice, ChatChoiceDelta, ChatCompletionChunk, ChatCompletionResponse
from mlflow.types.llm import ChatMessage, TokenUsageStats

class Echo(mlflow.pyfunc.ChatModel):
    '''Says what the last message says, or what another endpoint says to it where it is told one.'''

    def predict(self, context, messages, params):
        text = self._text(messages)
        words = len(text.split())
        return ChatCompletionResponse(
            choices=[ChatChoice(index=0, message=ChatMessage(role="assistant", content=text))],
            usage=TokenUsageStats(prompt_tokens=words, completion_tokens=words, total_tokens=2 * words),
            model="echo",
        )

    def predict_stream(self, context, messages, params):
        for word in self._text(messages).split():
            if word == "BREAK":
                raise RuntimeError("broke in the middle")
            yield ChatCompletionChunk(
                choices=[ChatChunkChoice(index=0, delta=ChatChoiceDelta(role="assistant", content=word + " "))],
                model="echo",
            )

    def _text(self, messages):
        said = messages[-1].content
        if said == "FAIL":
            raise RuntimeError("cannot answer that")
        if "OTHER" not in os.environ:
            return said
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.service.serving import ChatMessage as Asked, ChatMessageRole
        client = WorkspaceClient()  # host and token from the environment variables of the served entity
        answer = client.serving_endpoints.query(
            os.environ["OTHER"], messages=[Asked(role=ChatMessageRole.USER, content=said)]
        )
        return "other says: " + answer.choices[0].message.content

mlflow.models.set_model(Echo())
"""
RESPONSES = """
import mlflow
from mlflow.types.responses import ResponsesAgentResponse, ResponsesAgentStreamEvent

class Agent(mlflow.pyfunc.ResponsesAgent):
    def predict(self, request):
        done = [e.item for e in self.predict_stream(request) if e.type == "response.output_item.done"]
        return ResponsesAgentResponse(output=done)

    def predict_stream(self, request):
        text = request.input[-1].content
        for word in text.split():
            yield ResponsesAgentStreamEvent(**self.create_text_delta(delta=word, item_id="m1"))
        item = self.create_text_output_item(text=text.upper(), id="m1")
        yield ResponsesAgentStreamEvent(type="response.output_item.done", item=item)

mlflow.models.set_model(Agent())
"""


def save_agent(folder: Path, code: str) -> Path:
    """The saved model of an agent's code (CHAT, RESPONSES)."""
    folder.mkdir(parents=True)
    script = folder / "agent.py"
    script.write_text(code)
    mlflow.pyfunc.save_model(str(folder / "model"), python_model=str(script), pip_requirements=["mlflow"])
    return folder / "model"
