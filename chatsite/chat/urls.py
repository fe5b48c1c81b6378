from django.urls import path

from chatsite.chat import views

urlpatterns = [
    path("", views.new_conversation, name="new-conversation"),
    path("c/<uuid:conversation_id>/", views.conversation, name="conversation"),
    path("c/<uuid:conversation_id>/before/<uuid:message_id>/", views.earlier, name="conversation-earlier"),
    path("c/<uuid:conversation_id>/rename/", views.rename, name="conversation-rename"),
    path("c/<uuid:conversation_id>/delete/", views.delete, name="conversation-delete"),
    path("messages/<uuid:message_id>/choose/", views.choose, name="message-choose"),
    path("replies/<uuid:reply_id>/stop/", views.stop, name="reply-stop"),
    path("replies/<uuid:reply_id>/again/", views.again, name="reply-again"),
    path("replies/<uuid:reply_id>/correct/", views.correct, name="reply-correct"),
    path("replies/<uuid:reply_id>/text/", views.reply_text, name="reply-text"),
]
