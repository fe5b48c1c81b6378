from django.urls import path

from chatsite.chat import conversation_views, fallbacks, many_views, rating_views, views

urlpatterns = [
    path("", views.new_conversation, name="new-conversation"),
    path("c/<uuid:conversation_id>/", views.conversation, name="conversation"),
    path("c/<uuid:conversation_id>/before/<uuid:message_id>/", views.earlier, name="conversation-earlier"),
    path("c/<uuid:conversation_id>/menu/", conversation_views.menu, name="conversation-menu"),
    path("c/<uuid:conversation_id>/rename/", conversation_views.rename, name="conversation-rename"),
    path("c/<uuid:conversation_id>/pin/", conversation_views.pin, name="conversation-pin"),
    path("c/<uuid:conversation_id>/archive/", conversation_views.archive, name="conversation-archive"),
    path("c/<uuid:conversation_id>/tags/", conversation_views.tag, name="conversation-tags"),
    path("c/<uuid:conversation_id>/delete/", conversation_views.delete, name="conversation-delete"),
    path("c/<uuid:conversation_id>/restore/", conversation_views.restore, name="conversation-restore"),
    path("conversations/change/", many_views.change, name="conversations-change"),
    path("conversations/restore/", many_views.restore, name="conversations-restore"),
    path("conversations/", conversation_views.conversation_list, name="conversations"),
    path("messages/<uuid:message_id>/choose/", views.choose, name="message-choose"),
    path("messages/<uuid:message_id>/edit/", views.edit, name="message-edit"),
    path("shortcuts/", views.shortcuts, name="shortcuts"),
    path("frames/", fallbacks.say, name="frames"),
    path("frames/events/", fallbacks.listen, name="frames-events"),
    path("frames/poll/", fallbacks.poll, name="frames-poll"),
    path("replies/<uuid:reply_id>/stop/", views.stop, name="reply-stop"),
    path("replies/<uuid:reply_id>/again/", views.again, name="reply-again"),
    path("replies/<uuid:reply_id>/continue/", views.continue_answer, name="reply-continue"),
    path("replies/<uuid:reply_id>/compare/", views.compare, name="reply-compare"),
    path("replies/<uuid:reply_id>/correct/", views.correct, name="reply-correct"),
    path("replies/<uuid:reply_id>/rate/", rating_views.rate, name="reply-rate"),
    path("replies/<uuid:reply_id>/text/", views.reply_text, name="reply-text"),
]
